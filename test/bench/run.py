"""All benches one after another, or those that are named; then one table.

    make bench                        make bench ONLY=start,trust

Writes build/bench/results.json, the machine and every figure with its runs,
time and load, and results.md, the table for docs/benchmarks.md. Both hold what
was measured last of every bench, also of those that were not named this time.
"""
import json
import os
import subprocess
import sys

from figures import HERE, OUT, machine, markdown, show

#         name: its file
BENCHES = {"start": "start", "speaker": "speaker", "requests": "requests",
           "distribute": "distribute", "ingest": "ingest", "trust": "trust",
           "gate": "gate", "broker": "broker_cost"}


def collect():
    """What was measured last, by bench."""
    found = {}
    for name in BENCHES:
        path = os.path.join(OUT, name + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                found[name] = json.load(f)
    return found


def write(found):
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, "results.json"), "w", encoding="utf-8") as f:
        json.dump({"machine": machine(), "benches": found}, f, indent=1,
                  ensure_ascii=False)
    with open(os.path.join(OUT, "results.md"), "w", encoding="utf-8") as f:
        for name, one in found.items():
            print(f"\n## {name}\n\nload {one['load'][0]:.1f} before, "
                  f"{one['load'][1]:.1f} after\n", file=f)
            markdown(one["figures"], f)


def main(names):
    wrong = [n for n in names if n not in BENCHES]
    if wrong:
        sys.exit(f"bench: there is no {wrong[0]}: ONLY is one or more of "
                 + ",".join(BENCHES))
    failed = []
    for name in names or BENCHES:
        print(f"--- {name}", flush=True)
        done = subprocess.run([sys.executable,
                               os.path.join(HERE, BENCHES[name] + ".py")])
        if done.returncode != 0:
            failed.append(name)
    found = collect()
    write(found)
    if len(names) != 1:
        print()
        show([r for name in names or BENCHES if name not in failed
              for r in found[name]["figures"]])
    if failed:
        sys.exit(f"bench: could not measure {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
