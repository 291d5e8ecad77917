"""What access control costs the broker: test/bench/broker.py at two sizes.

    make bench ONLY=broker
    python3 test/bench/broker_cost.py [--rounds 5] [--subscribers 1000,5000]

The variants take turns within a round, and each round begins with another one.
See broker.py for what they are. The kernel knows a process's CPU time exactly,
but only guesses from its ticks how much of that was user time: the sum is the
steadier figure.
"""
import argparse
import json
import os
import subprocess
import sys

from figures import BUILD, HERE, OUT, Table

VARIANTS = ("none", "noop", "loa-auth", "acl16", "dynsec")
NAMES = {"none": "no access control", "noop": "plugin that allows all",
         "loa-auth": "loa-auth", "acl16": "acl_file, password_file",
         "dynsec": "dynamic-security"}
#        figure, unit, the sum of these of broker.py
SHOWN = (("CPU per delivery", "µs", ("user us/delivery",
                                     "system us/delivery")),
         ("of it user", "µs", ("user us/delivery",)),
         ("user CPU per login", "µs", ("user us/login",)),
         ("logins/s", "/s", ("logins/s",)))


def round_of(subscribers, variants, seconds):
    """One round of broker.py, in this order: {variant: its run}."""
    path = os.path.join(OUT, "broker-round.json")
    subprocess.run([sys.executable, os.path.join(HERE, "broker.py"), "--build",
                    BUILD, "--variants", ",".join(variants), "--subscribers",
                    str(subscribers), "--rounds", "1", "--seconds",
                    str(seconds), "--json", path],
                   check=True, stdout=subprocess.DEVNULL)
    with open(path, encoding="utf-8") as f:
        return {v: runs[0] for v, runs in json.load(f).items()}


def measure(subscribers, rounds, seconds):
    """Each round begins with another variant: with one order for all, the
    place in it, or the load of the moment, weighed more than the plugin."""
    runs = {v: [] for v in VARIANTS}
    for i in range(rounds):
        at = i % len(VARIANTS)
        found = round_of(subscribers, VARIANTS[at:] + VARIANTS[:at], seconds)
        for v in VARIANTS:
            runs[v].append(found[v])
    return runs


def main(sizes, rounds, seconds):
    os.makedirs(OUT, exist_ok=True)
    table = Table("broker")
    for n in sizes:
        runs = measure(n, rounds, seconds)
        for name, unit, parts in SHOWN:
            for v in VARIANTS:
                table.add(f"{n:,} subscribers, {name}, {NAMES[v]}", unit,
                          [sum(r[p] for p in parts) for r in runs[v]])
        table.add(f"{n:,} subscribers, CPU per delivery, loa-auth less "
                  "plugin that allows all, same round", "µs",
                  [sum(a[p] - b[p] for p in SHOWN[0][2])
                   for a, b in zip(runs["loa-auth"], runs["noop"])])
    table.finish()


if __name__ == "__main__":
    a = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--seconds", type=float, default=4)
    a.add_argument("--subscribers", default="1000,5000")
    args = a.parse_args()
    main([int(x) for x in args.subscribers.split(",")], args.rounds,
         args.seconds)
