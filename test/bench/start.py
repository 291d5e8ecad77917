"""When sound begins, against the signed start and against its neighbours.

    make bench ONLY=start            python3 test/bench/start.py [--runs 10]

Six loudspeakers of one commune say one short text ten times. Each beginning is
taken in three ways, all by the one clock of this machine:

  receipt  first_sample_us of STARTED: the device's clock at the hand-over of
           the first sample to its output
  witness  this process watches the six files (inotify) and notes by its own
           clock when the file came to hold that sample
  place    where in the file the archived sound correlates best, counted from
           the wall time that the device noted when it opened the file. It
           checks that the right sample stands at the right place; a late
           process does not move it, so it says nothing about lateness
"""
import argparse
import ctypes
import os
import select
import struct
import sys
import threading
import time

import numpy as np

from figures import Table
import wavcheck
from province import LIMIT_S, Province, ms

SPEAKERS_N = 6
LEAD_S = 8
PAUSE_MS = 1537  # Between bulletins; no multiple of a period.
TEXT = "Kính thưa bà con, đây là bản tin ngắn."
HEADER_BYTES = 44
IN_MODIFY = 2


class Witness(threading.Thread):
    """Notes (wall µs, samples in the file) each time one of them grows."""

    def __init__(self, paths):
        super().__init__(daemon=True)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(0)
        self.seen, self.names, self.files = {}, {}, {}
        self.stopping = False
        for name, path in paths.items():
            wd = self.libc.inotify_add_watch(self.fd, path.encode(), IN_MODIFY)
            if self.fd < 0 or wd < 0:
                raise OSError(ctypes.get_errno(), path)
            self.names[wd], self.seen[name] = name, [(0, 0)]
            self.files[name] = os.open(path, os.O_RDONLY)

    def run(self):
        while not self.stopping:
            if not select.select([self.fd], [], [], 0.2)[0]:
                continue
            data, at = os.read(self.fd, 65536), 0
            now_us = time.time_ns() // 1000
            while at < len(data):
                wd, _, _, length = struct.unpack_from("iIII", data, at)
                at += 16 + length
                self.note(self.names[wd], now_us)

    def note(self, name, now_us):
        samples = (os.fstat(self.files[name]).st_size - HEADER_BYTES) // 2
        if samples > self.seen[name][-1][1]:
            self.seen[name].append((now_us, samples))

    def stop(self):
        self.stopping = True
        self.join()

    def at_us(self, name, sample):
        """When the file came to hold it. A period is handed over as its first
        sample is due; those behind it are due later."""
        before = 0
        for now_us, samples in self.seen[name]:
            if samples > sample:
                return now_us + (sample - before) * 1e6 / wavcheck.RATE
            before = samples
        raise LookupError(f"{name}: sample {sample} was never seen")


def place(samples, core, about):
    """The sample at which core begins, within a second of `about`."""
    reach = wavcheck.RATE
    lo = max(about - reach, 0)
    found = wavcheck.correlate(samples[lo:about + reach + len(core)], core)
    best = int(np.argmax(found))
    if found[best] < 0.9:
        raise LookupError(f"the sound is not at {about}: {found[best]:.2f}")
    return lo + best


class Bulletins:
    """The runs: scheduled ahead, said, and then looked at."""

    def __init__(self, stack, area, runs):
        self.stack = stack
        content = stack.say(TEXT)
        stack.approve(content)
        step = content["duration_ms"] + PAUSE_MS
        self.content = content
        self.starts = [ms(LEAD_S) + i * step for i in range(runs)]
        self.entries = [stack.at(content, area, s) for s in self.starts]

    def wait(self, devices):
        left = self.starts[-1] / 1000 - time.time() + LIMIT_S
        self.stack.wait(lambda: self.stack.who(self.entries[-1], "finished")
                        >= devices, left, "speaker")

    def receipts(self, i):
        return {r["device"]: r["first_sample_us"]
                for r in self.stack.report(self.entries[i])
                if r["event"] == "started"}


def measure(stack, bulletins, witness, devices):
    """{place: [per run: [µs late of each device]]}"""
    core, lead = wavcheck.trim(stack.archived(bulletins.content))
    late = {"receipt": [], "witness": [], "place": []}
    sound = {d: stack.samples(d) for d in devices}
    origin = {}
    for d in devices:
        with open(stack.path("wav", d + ".wav.start_us"),
                  encoding="ascii") as f:
            origin[d] = int(f.read())
    for i, start_ms in enumerate(bulletins.starts):
        start_us, row = start_ms * 1000, {k: [] for k in late}
        receipts = bulletins.receipts(i)
        for d in devices:
            about = round((start_us - origin[d]) * wavcheck.RATE / 1e6) + lead
            at = place(sound[d], core, about) - lead
            row["receipt"].append(receipts[d] - start_us)
            row["witness"].append(witness.at_us(d, at) - start_us)
            row["place"].append(origin[d] + at * 1e6 / wavcheck.RATE
                                - start_us)
        for k in late:
            late[k].append(row[k])
    return late


def run(runs):
    table = Table("start")
    with Province() as stack:
        stack.import_areas()
        area = stack.communes()[0]
        devices = [f"p{i}" for i in range(SPEAKERS_N)]
        stack.speak_up({d: area for d in devices})
        witness = Witness({d: stack.path("wav", d + ".wav") for d in devices})
        witness.start()
        bulletins = Bulletins(stack, area, runs)
        bulletins.wait(set(devices))
        witness.stop()
        late = measure(stack, bulletins, witness, devices)
    for k, rows in late.items():
        table.add(f"{k}: off the signed start, worst of {SPEAKERS_N}", "ms",
                  [max(map(abs, r)) / 1000 for r in rows], "want < 20")
    for k, rows in late.items():
        table.add(f"{k}: between {SPEAKERS_N} speakers", "ms",
                  [(max(r) - min(r)) / 1000 for r in rows], "want < 5")
    table.finish()


if __name__ == "__main__":
    a = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--runs", type=int, default=10)
    sys.exit(run(a.parse_args().runs))
