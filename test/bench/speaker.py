"""Memory and CPU of a loudspeaker, against ffmpeg playing the same file.

    make bench ONLY=speaker
    python3 test/bench/speaker.py [--runs 3] [--seconds 60]

In turns: the speaker plays for so long while ffmpeg does not run, then ffmpeg
(ffmpeg -re -i x.opus -f wav -y /dev/null) plays the same sound, the speaker
being idle. CPU is that of all threads, from the scheduler's own account.
"""
import argparse
import os
import subprocess
import sys
import time

from figures import Table, cpu_s, pid_of, status_kb
from province import Province, ms
from sounds import speech

DEVICE = "p0"
LEAD_S = 4
SETTLE_S = 1  # From the start until the account begins.


def account(pid, seconds):
    """(% of a core, kB resident, kB of them its own) over so long."""
    cpu, began = cpu_s(pid), time.monotonic()
    time.sleep(seconds)
    used = (cpu_s(pid) - cpu) / (time.monotonic() - began) * 100
    return used, status_kb(pid, "VmRSS"), status_kb(pid, "RssAnon")


class Run:
    def __init__(self, stack, seconds):
        self.stack, self.seconds = stack, seconds
        self.area = stack.communes()[0]
        self.content = stack.loactl("lan", "content", "add", speech(
            stack, seconds + SETTLE_S + 2), timeout=120)
        stack.approve(self.content)
        stack.archived(self.content)
        self.opus = stack.path(self.content["content"][:16] + ".opus")
        self.pid = pid_of(stack.processes["speaker-" + DEVICE])

    def play(self):
        start = ms(LEAD_S)
        entry = self.stack.at(self.content, self.area, start)
        time.sleep(max(start / 1000 + SETTLE_S - time.time(), 0))
        found = account(self.pid, self.seconds)
        self.stack.wait(lambda: DEVICE in self.stack.who(entry, "finished"),
                        30, "speaker")
        return found

    def idle(self):
        return account(self.pid, min(self.seconds, 20))

    def ffmpeg(self):
        child = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-re", "-i", self.opus, "-f", "wav",
             "-y", "/dev/null"], stdin=subprocess.DEVNULL)
        try:
            time.sleep(SETTLE_S)
            return account(child.pid, self.seconds)
        finally:
            child.kill()
            child.wait()


def main(runs, seconds):
    table = Table("speaker")
    sides = {"playing": [], "ffmpeg": [], "idle": []}
    with Province() as stack:
        stack.import_areas()
        stack.speak_up({DEVICE: stack.communes()[0]})
        run = Run(stack, seconds)
        for _ in range(runs):
            sides["idle"].append(run.idle())
            sides["playing"].append(run.play())
            sides["ffmpeg"].append(run.ffmpeg())
        peak = status_kb(run.pid, "VmHWM")
    for side, name, kb, percent in (
            ("idle", "loa-speaker idle", "want < 8", ""),
            ("playing", "loa-speaker playing", "want < 8", "want < 2"),
            ("ffmpeg", "ffmpeg playing the same", "", "")):
        rows = sides[side]
        table.add(f"{name}, VmRSS", "MB", [r[1] / 1024 for r in rows], kb)
        table.add(f"{name}, own pages (RssAnon)", "MB",
                  [r[2] / 1024 for r in rows])
        table.add(f"{name}, CPU", "% of a core", [r[0] for r in rows], percent)
    table.add("loa-speaker, highest VmRSS ever (VmHWM)", "MB", [peak / 1024],
              f"of {os.path.basename(stack.bin('loa-speaker'))}, all runs")
    table.finish()


if __name__ == "__main__":
    a = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--runs", type=int, default=3)
    a.add_argument("--seconds", type=int, default=60)
    args = a.parse_args()
    sys.exit(main(args.runs, args.seconds))
