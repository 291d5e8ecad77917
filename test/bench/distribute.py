"""One content on its way to twenty loudspeakers.

    make bench ONLY=distribute
    python3 test/bench/distribute.py [--runs 3] [--speakers 20]

1 MB of sound (about 5.8 minutes of speech at 24 kbit/s) is approved and
scheduled for one commune. The clock starts with the answer of the scheduler:
the programme is committed and on its way. It stops with the last VERIFIED
receipt, by the device's own clock (the same machine): content on disk, hash
and approval right. Bytes are what the broker and the ingest handed to
write(2), so MQTT and all other traffic of that time count; what they need is
the content's bytes once per loudspeaker.
"""
import argparse
import sys
import time
import wave

import numpy as np

from figures import Table, cpu_s, pid_of, written_bytes
from province import Province, ms
from sounds import speech

CONTENT_S = 350
LEAD_S = 3600       # Nothing is to sound here.
LIMIT_S = 120
PEOPLE = ("mosquitto", "content-ingest")


def another(path, out, run):
    """The same sound, a little quieter at its first sample: another content
    needs another hash."""
    with wave.open(path, "rb") as r, wave.open(out, "wb") as w:
        w.setparams(r.getparams())
        data = np.frombuffer(r.readframes(r.getnframes()), dtype="<i2").copy()
        data[:4800] = np.arange(4800) % 97 * (run + 1)
        w.writeframes(data.tobytes())


class Watch:
    """What the servers and the loudspeakers use from here on."""

    def __init__(self, stack, devices):
        self.stack = stack
        self.pids = {p: [pid_of(stack.processes[p])] for p in PEOPLE}
        self.pids["speakers"] = [pid_of(stack.processes["speaker-" + d])
                                 for d in devices]
        self.cpu = self.cpu_now()
        self.bytes = self.bytes_now()

    def cpu_now(self):
        return {k: sum(map(cpu_s, p)) for k, p in self.pids.items()}

    def bytes_now(self):
        return {k: sum(map(written_bytes, self.pids[k])) for k in PEOPLE}

    def used(self):
        return ({k: v - self.cpu[k] for k, v in self.cpu_now().items()},
                {k: v - self.bytes[k] for k, v in self.bytes_now().items()})


def frames_bytes(stack, content):
    return int(stack.sql("SELECT bytes FROM content.content WHERE content_hash"
                         f" = '\\x{content['content']}'"))


def run(stack, area, devices, path):
    """(seconds to first and last, CPU, bytes, bytes of the content)"""
    content = stack.loactl("lan", "content", "add", path, timeout=180)
    stack.approve(content)
    watch = Watch(stack, devices)
    entry = stack.at(content, area, ms(LEAD_S))
    since_us = time.time_ns() // 1000

    def verified():
        return {r["device"]: r["at_us"] for r in stack.report(entry)
                if r["event"] == "verified"}
    stack.wait(lambda: len(verified()) == len(devices), LIMIT_S, "speaker")
    cpu, written = watch.used()
    at_us = verified().values()
    stack.loactl("lan", "schedule", "cancel", entry["bulletin"])
    return ((min(at_us) - since_us) / 1e6, (max(at_us) - since_us) / 1e6, cpu,
            written, frames_bytes(stack, content))


def main(runs, speakers_n):
    table, found = Table("distribute"), []
    with Province() as stack:
        stack.import_areas()
        area = stack.communes()[0]
        devices = [f"p{i}" for i in range(speakers_n)]
        stack.speak_up({d: area for d in devices})
        source = speech(stack, CONTENT_S)
        for i in range(runs):
            path = stack.path(f"content-{i}.wav")
            another(source, path, i)
            found.append(run(stack, area, devices, path))
    n = speakers_n
    table.add("content", "bytes", [r[4] for r in found], f"{CONTENT_S} s")
    table.add(f"scheduled until verified by the first of {n}", "s",
              [r[0] for r in found])
    table.add(f"scheduled until verified by all {n}", "s",
              [r[1] for r in found],
              "paced: 400 packets/s, 5 are a second of sound")
    table.add("broker wrote / content bytes, per speaker", "x",
              [r[3]["mosquitto"] / (r[4] * n) for r in found],
              "1 would be the frames alone")
    table.add("ingest wrote / content bytes", "x",
              [r[3]["content-ingest"] / r[4] for r in found],
              "once, not once a speaker")
    for who, name, by in (("mosquitto", "CPU of mosquitto", 1),
                          ("content-ingest", "CPU of content-ingest", 1),
                          ("speakers", "CPU of one speaker", n)):
        table.add(f"{name}, one content", "s", [r[2][who] / by for r in found])
    table.finish()


if __name__ == "__main__":
    a = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--runs", type=int, default=3)
    a.add_argument("--speakers", type=int, default=20)
    args = a.parse_args()
    sys.exit(main(args.runs, args.speakers))
