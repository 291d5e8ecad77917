"""Attacks on the loudspeaker's core itself: those that need a day to pass, and
very many mutated messages. See replay.c and mutate.c."""
import os
import re
import subprocess

import pytest

import loa_identity as li

HERE = os.path.dirname(os.path.realpath(__file__))
BUILD = os.path.join(li.ROOT_DIR, os.environ.get("LOA_BUILD", "build/plain"),
                     "test", "attack")
N = 100000


def program(name):
    path = os.path.join(BUILD, name)
    subprocess.run(["make", "-s", "--no-print-directory",
                    os.path.relpath(path, li.ROOT_DIR)], cwd=li.ROOT_DIR,
                   check=True, stdout=subprocess.DEVNULL)
    return path


def names():
    """From the source: what is collected must not depend on a build."""
    with open(os.path.join(li.ROOT_DIR, "test", "attack", "replay.c"),
              encoding="utf-8") as f:
        return re.findall(r"^    ROW\((\w+),", f.read(), re.M)


@pytest.fixture(scope="module")
def replay():
    path = program("replay")
    listed = subprocess.run([path, "--list"], capture_output=True, text=True,
                            check=True).stdout.splitlines()
    assert [x.split()[0] for x in listed] == names()
    return path


@pytest.mark.parametrize("name", names())
def test_replay(replay, name):
    done = subprocess.run([replay, name], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stderr


def test_mutations():
    """Incidents 2 and 5: none of N mutated messages sounds."""
    seed = os.environ.get("SEED", "1")
    done = subprocess.run([program("mutate"), str(N), seed],
                          capture_output=True, text=True, timeout=300)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert f"mutations={N} " in last and last.endswith("sounded=0"), last


def test_every_attack_is_listed():
    """docs/security.md says what each attack stands for; none is missing, none
    is there that is no test, and none stands for nothing."""
    import test_guarded_broker
    import test_owned_broker
    import test_owned_database
    named = {}
    for attacks in (test_owned_broker.attack, test_guarded_broker.attack,
                    test_owned_database.ATTACKS):
        named.update({n: f.stands_for for n, f in attacks.items()})
    with open(os.path.join(HERE, "replay.c"), encoding="utf-8") as f:
        named.update(re.findall(r'^    ROW\((\w+),\s*"([^"]*)"\)', f.read(),
                                re.M))
    for name, stands_for in named.items():
        assert re.fullmatch(r"[P#MR]\d+( [P#MR]\d+)*", stands_for), name
    with open(os.path.join(li.ROOT_DIR, "docs", "security.md"),
              encoding="utf-8") as f:
        text = f.read()
    listed = set(re.findall(r"`(\w+)`", text[:text.index("## Promised")]))
    assert set(named) - listed == set()
    for name in listed - set(named):
        found = subprocess.run(["grep", "-rlw", name, "test"],
                               cwd=li.ROOT_DIR, capture_output=True)
        assert found.returncode == 0, name
