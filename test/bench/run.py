"""All benches one after another, or those that are named; then one table.

    make bench                        make bench ONLY=start,trust

Writes build/bench/results.json: the machine, its load, every figure with its
runs.
"""
import json
import os
import subprocess
import sys
import time

from figures import HERE, OUT, machine, show

#         name: its file
BENCHES = {"start": "start", "speaker": "speaker", "requests": "requests",
           "distribute": "distribute", "ingest": "ingest", "trust": "trust",
           "broker": "broker_cost"}


def main(names):
    wrong = [n for n in names if n not in BENCHES]
    if wrong:
        sys.exit(f"bench: there is no {wrong[0]}: ONLY is one or more of "
                 + ",".join(BENCHES))
    rows, failed, loads = [], [], {}
    for name in names or BENCHES:
        print(f"--- {name}", flush=True)
        done = subprocess.run([sys.executable,
                               os.path.join(HERE, BENCHES[name] + ".py")])
        if done.returncode != 0:
            failed.append(name)
            continue
        with open(os.path.join(OUT, name + ".json"), encoding="utf-8") as f:
            found = json.load(f)
        loads[name] = found["load"]
        rows += found["figures"]
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, "results.json"), "w", encoding="utf-8") as f:
        json.dump({"machine": machine(), "at": time.strftime("%FT%TZ",
                                                             time.gmtime()),
                   "load": loads, "failed": failed, "figures": rows}, f,
                  indent=1, ensure_ascii=False)
    if len(names) != 1:
        print()
        show(rows)
    if failed:
        sys.exit(f"bench: could not measure {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])
