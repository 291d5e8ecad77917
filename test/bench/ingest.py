"""Sound into frames, areas into the registry.

    make bench ONLY=ingest
    python3 test/bench/ingest.py [--runs 3] [--areas FILE]

loa-encode works through 1 and 60 minutes of real voice and through a page of
Vietnamese text: seconds of sound per second of CPU, all its passes and
children. The areas go through loactl, the broker and the registry into
PostgreSQL, from the command's start to its end; each run on a new province.
AREAS (or --areas) names the CSV file, with the columns code, parent, tier,
name; without one, ../shared/data/areas-2021.csv if that is there (the country:
11,368 areas), else the 15 of the sample.
"""
import argparse
import os
import re
import sys
import tempfile
import time

from figures import BUILD, TOP, Table, Used, cpu_s, pid_of, status_kb
from demo import TEXT
from province import Province
from sounds import speech
from stack import SAMPLE

COUNTRY = os.path.join(TOP, "..", "shared", "data", "areas-2021.csv")
MINUTES = (1, 60)
SENTENCES_N = 20


class Folder:
    """Where sounds.speech() may put its files."""

    def __init__(self, path):
        self.folder = path

    def path(self, name):
        return os.path.join(self.folder, name)


def encode(kind, path, *more):
    """(Used, seconds of sound)"""
    log = path + ".log"
    with open(log, "wb") as f:
        used = Used([os.path.join(BUILD, "loa-encode"), kind, path,
                     path + ".frames", *more], stdout=f)
    with open(log, encoding="utf-8") as f:
        ms = int(re.search(r"duration_ms=(\d+)", f.read()).group(1))
    return used, ms / 1000


def tell(table, what, runs):
    table.add(f"{what}: sound per CPU second", "x real time",
              [s / u.cpu_s for u, s in runs], f"{runs[0][1]:.0f} s of sound")
    table.add(f"{what}: wall", "s", [u.wall_s for u, _ in runs])
    table.add(f"{what}: highest VmRSS", "MB",
              [u.rss_kb / 1024 for u, _ in runs])


def encoding(table, runs):
    with tempfile.TemporaryDirectory(prefix="loa-bench-") as folder:
        files = {m: speech(Folder(folder), m * 60) for m in MINUTES}
        text = os.path.join(folder, "text")
        with open(text, "w", encoding="utf-8") as f:
            f.write("\n\n".join([TEXT] * SENTENCES_N))
        found = {m: [] for m in MINUTES}
        spoken = []
        for _ in range(runs):
            for m in MINUTES:
                found[m].append(encode("audio", files[m]))
            spoken.append(encode("text", text, "--language", "vi"))
    for m in MINUTES:
        tell(table, f"loa-encode, {m} min of voice", found[m])
    tell(table, "loa-encode, Vietnamese text", spoken)


def areas_n(path):
    with open(path, encoding="utf-8") as f:
        return sum(1 for _ in f) - 1


def importing(table, runs, path):
    wall, cpu, memory, again = [], [], [], []
    for _ in range(runs):
        with Province(areas=path) as stack:
            pid = pid_of(stack.processes["registry"])
            used, began = cpu_s(pid), time.monotonic()
            stack.import_areas()
            wall.append(time.monotonic() - began)
            cpu.append(cpu_s(pid) - used)
            began = time.monotonic()
            stack.import_areas()
            again.append(time.monotonic() - began)
            memory.append(status_kb(pid, "VmRSS") / 1024)
    what = f"area import, {areas_n(path)} areas"
    note = "" if path != SAMPLE else "the sample: no file of the country here"
    table.add(f"{what}, loactl start to end", "s", wall, note or "want < 2")
    table.add(f"{what}, the same file again", "s", again, note)
    table.add(f"{what}, CPU of loa-registry", "s", cpu, note)
    table.add(f"{what}, loa-registry VmRSS after", "MB", memory, note)


def main(runs, path):
    table = Table("ingest")
    importing(table, runs, path)
    encoding(table, runs)
    table.finish()


if __name__ == "__main__":
    a = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--runs", type=int, default=3)
    a.add_argument("--areas", default=os.environ.get("AREAS") or (
        COUNTRY if os.path.exists(COUNTRY) else SAMPLE))
    args = a.parse_args()
    sys.exit(main(args.runs, args.areas))
