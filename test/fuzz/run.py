#!/usr/bin/python3
"""Run the fuzzers, each for its share of CPU time, and tell what they reached.

    run.py --hours 4             the hours shared fairly among all harnesses
    run.py --seconds 600 topic   so much CPU time each, only these
    run.py --keep                make test/fuzz/corpus/ small again: see keep()

What they find lies in build/fuzz/findings/; then the exit code is 1.
"""

import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KEPT = os.path.join(ROOT, "test/fuzz/corpus")
GROWN = os.path.join(ROOT, "build/corpus")
BUILT = os.path.join(ROOT, "build/fuzz")
FOUND = os.path.join(BUILT, "findings")
LEN_MAX = 8192
KEPT_BYTES_MAX = 40000  # Of one harness, all files together.
CPU_LAG_MAX = 6  # Wall time over CPU time before a harness is given up.
TICKS = os.sysconf("SC_CLK_TCK")

# Whoever may speak to a parser: strangers first, then members of the network,
# then our own files and cores. Others follow in the order of the alphabet.
ORDER = """envelope chain certificate topic http packet programme head telemetry
content_wire scheduler_wire registry csv wav config trust trustlist speaker
speaker_wire verdict""".split()

COLUMNS = "harness", "executions", "exec/s", "edges", "features", "corpus", "CPU s", "findings"


def harnesses():
    names = [f[5:-2] for f in os.listdir(os.path.join(ROOT, "test/fuzz"))
             if f.startswith("fuzz_") and f.endswith(".c")]
    rank = {name: i for i, name in enumerate(ORDER)}
    return sorted(names, key=lambda n: (rank.get(n, len(rank)), n))


def cpu_seconds(pid):
    """User and system time of a process; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / TICKS


def corpora(name):
    grown = os.path.join(GROWN, name)
    os.makedirs(grown, exist_ok=True)
    kept = os.path.join(KEPT, name)
    return [grown] + ([kept] if os.path.isdir(kept) else [])


def findings(name):
    return sorted(f for f in os.listdir(FOUND) if f.startswith(name + "-"))


def figures(log):
    """(executions, edges, features, corpus) of libFuzzer's last line."""
    last = None
    with open(log, errors="replace") as f:
        for line in f:
            m = re.match(r"#(\d+)\s.*cov: (\d+) ft: (\d+)(?: corp: (\S+))?", line)
            last = m or last
    return [g or "-" for g in last.groups()] if last else ["0", "-", "-", "-"]


def stop(process):
    process.send_signal(signal.SIGUSR1)  # It ends between two inputs.
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:  # libFuzzer's own end hangs, rarely.
        process.kill()
        process.wait()
        return 0


def run(name, seconds, stopping):
    """One harness until its CPU time is used up; its row."""
    log = os.path.join(GROWN, name + ".log")
    # Its own limit is one of wall time, for when the machine is crowded.
    command = [os.path.join(BUILT, name), f"-max_total_time={int(seconds * CPU_LAG_MAX) + 10}",
               f"-max_len={LEN_MAX}", "-timeout=30", "-print_final_stats=1",
               f"-artifact_prefix={FOUND}/{name}-"] + corpora(name)
    before = set(findings(name))
    cpu, code = 0, None
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        while code is None:
            cpu = max(cpu, cpu_seconds(process.pid))
            if cpu >= seconds or stopping.is_set():
                code = stop(process)
                break
            time.sleep(0.1 if seconds < 60 else 1)
            code = process.poll()
    new = [f for f in findings(name) if f not in before]
    executions, edges, features, corpus = figures(log)
    bad = bool(new) or code != 0
    rate = int(int(executions) / cpu) if cpu else 0
    return bad, (name, executions, rate, edges, features, corpus, f"{cpu:.0f}", len(new) or int(bad))


def tell(cells):
    widths = 16, 12, 8, 7, 9, 12, 7, 9
    print("  " + " ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w)
                          for i, (c, w) in enumerate(zip(cells, widths))), flush=True)


def run_all(names, seconds, jobs):
    os.makedirs(FOUND, exist_ok=True)
    stopping = threading.Event()
    for sig in signal.SIGINT, signal.SIGTERM:
        signal.signal(sig, lambda *_: stopping.set())
    tell(COLUMNS)
    failed = False
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        def one(name):
            return None if stopping.is_set() else run(name, seconds, stopping)
        for done in concurrent.futures.as_completed([pool.submit(one, n) for n in names]):
            if done.result() is None:
                continue
            bad, row = done.result()
            failed |= bad
            tell(row)
            if bad:
                with open(os.path.join(GROWN, row[0] + ".log"), errors="replace") as f:
                    print("".join(f.readlines()[-30:]), f"FAIL fuzz {row[0]}", sep="\n", flush=True)
    if stopping.is_set():
        print("  stopped before the time was over")
    return failed


def keep(name):
    """What reaches all that the grown corpus reaches, cut to KEPT_BYTES_MAX.

    Seeds with a name of their own (not libFuzzer's 40 hex digits) stay: they
    are regressions, or written by hand.
    """
    kept = os.path.join(KEPT, name)
    os.makedirs(kept, exist_ok=True)
    own = {f for f in os.listdir(kept) if not re.fullmatch(r"[0-9a-f]{40}", f)}
    room = KEPT_BYTES_MAX - sum(os.path.getsize(os.path.join(kept, f)) for f in own)
    with tempfile.TemporaryDirectory() as merged:
        subprocess.run([os.path.join(BUILT, name), "-merge=1", f"-max_len={LEN_MAX}", merged]
                       + corpora(name), check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        for f in os.listdir(kept):
            if f not in own:
                os.unlink(os.path.join(kept, f))
        for size, f in sorted((os.path.getsize(os.path.join(merged, f)), f)
                              for f in os.listdir(merged)):
            if size <= room:
                room -= size
                with open(os.path.join(merged, f), "rb") as a, \
                        open(os.path.join(kept, f), "wb") as b:
                    b.write(a.read())
    files = os.listdir(kept)
    print(f"  {name:16} {len(files)} files, {KEPT_BYTES_MAX - room} bytes", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--hours", type=float, help="CPU time of all together")
    p.add_argument("--seconds", type=float, help="CPU time of each")
    p.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    p.add_argument("--keep", action="store_true")
    p.add_argument("names", nargs="*", metavar="HARNESS")
    o = p.parse_args()
    unknown = set(o.names) - set(harnesses())
    if unknown:
        p.error(f"there is no test/fuzz/fuzz_{unknown.pop()}.c")
    names = [n for n in harnesses() if not o.names or n in o.names]
    if o.keep:
        for name in names:
            keep(name)
        return 0
    seconds = o.hours * 3600 / len(names) if o.hours else o.seconds or 20
    return 1 if run_all(names, seconds, o.jobs) else 0


if __name__ == "__main__":
    sys.exit(main())
