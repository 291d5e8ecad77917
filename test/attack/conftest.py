"""The words of the integration tests are the words of the attacks."""
import os
import re
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

# What a failed attack says when it was heard, and not only not refused.
HEARD = ("samples sounded", "it began", "starts:", "SOUNDED", "p.heard(",
         "it is not what was approved", "after the honest bulletin")
# Tests of the tests, and the one that counts for itself.
NOT_NAMED = ("test_mutations", "test_every_attack_is_listed",
             "test_planted_keys_are_found")
STORM = r"held=(\d+) .*'malformed': (\d+)"


def pytest_terminal_summary(terminalreporter):
    """How many attacks there were, and what they found."""
    stats = terminalreporter.stats
    passed, bad = (
        [r for kind in kinds for r in stats.get(kind, [])
         if "test/attack" in r.nodeid and r.when in ("call", "setup")]
        for kinds in (["passed"], ["failed", "error"]))
    if not passed and not bad:
        return
    passed = [r for r in passed if r.when == "call"]
    text = "\n".join(r.capstdout for r in passed + bad)
    mutated = re.search(r"mutations=(\d+) seed=(\d+)", text)
    storm = re.search(STORM, text)
    named_n = sum(not r.nodeid.endswith(NOT_NAMED) for r in passed + bad)
    sounded = sum(any(w in str(r.longrepr) for w in HEARD) for r in bad)
    terminalreporter.write_line(
        f"attacks={named_n} "
        f"mutations={mutated[1] if mutated else 0} "
        f"seed={mutated[2] if mutated else '-'} "
        f"half_open={storm[1] if storm else 0} "
        f"malformed={storm[2] if storm else 0} "
        f"sounded={sounded} other_findings={len(bad) - sounded}")
