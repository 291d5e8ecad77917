"""CPU time of a signature made, of an envelope believed, of a packet checked.

    make bench ONLY=trust            python3 test/bench/trust.py [--runs 5]
"""
import argparse
import os
import subprocess

from figures import BUILD, Table

PROGRAM = os.path.join(BUILD, "test", "bench", "trust_ops")
#        operation, what it is
OPS = [("cold", "trust_verify, chain of 3 never seen"),
       ("cached", "trust_verify, chain in the cache"),
       ("packet", "content packet, signature by the stream key"),
       ("sign", "envelope signed and written")]


def main(runs, n):
    values = {op: [] for op, _ in OPS}
    for _ in range(runs):
        for op, _ in OPS:
            out = subprocess.run([PROGRAM, op, str(n)], check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
            values[op].append(int(out) / 1000)
    table = Table("trust")
    for op, what in OPS:
        table.add(f"{what}, CPU", "µs", values[op], f"runs of {n}")
    table.finish()


if __name__ == "__main__":
    a = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--runs", type=int, default=5)
    a.add_argument("-n", type=int, default=20000)
    args = a.parse_args()
    main(args.runs, args.n)
