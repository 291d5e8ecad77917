"""CPU time of the broker plugin's decision about one delivery, without a broker.

    make bench ONLY=gate             python3 test/bench/gate.py
"""
import os
import subprocess

from figures import BUILD, Table

PROGRAM = os.path.join(BUILD, "test", "bench", "gate_ops")
#       how, what it is
HOW = [("same", "one topic again and again"),
       ("shuffled", "delivered in another order than they came"),
       ("areas", "16 topics in turns"),
       ("among", "32 KB of other memory read in between")]
RUNS, N = 5, 2000000


def main():
    table = Table("gate")
    for clients in 1000, 5000:
        values = {how: [] for how, _ in HOW}
        for _ in range(RUNS):
            for how, _ in HOW:
                out = subprocess.run(
                    [PROGRAM, how, str(clients), str(N)], check=True,
                    stdout=subprocess.PIPE, text=True).stdout
                values[how].append(float(out) / 1000)
        for how, what in HOW:
            table.add(f"decision per delivery, {clients} subscribers, {what}, "
                      "CPU", "µs", values[how], f"runs of {N}")
    table.finish()


if __name__ == "__main__":
    main()
