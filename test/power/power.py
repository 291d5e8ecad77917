"""Power cuts and bad disks: records what the programs do to their files, makes
images of what a cut may leave, and reads them back. `make power IMAGES= SEED=`.

Ends with a table and exit 0, or with the first finding, its image kept and the
command that repeats it, and exit 1."""
import argparse
import errno
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import wave

HERE = os.path.dirname(os.path.abspath(__file__))
OP_MARK = 12
# Where an fsync that does nothing must be seen: the checker's own test.
LIES = ["sync:", "dir", "sync:.a", "sync:new.tmp", "sync:receipts.tmp"]


class Finding(Exception):
    pass


class Power:
    def __init__(self, build, images, seed, work):
        self.bin = os.path.join(os.path.abspath(build), "test/power")
        self.build = os.path.abspath(build)
        self.images, self.seed, self.work = images, seed, work
        self.rng = random.Random(seed)
        self.table = []

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def fresh(self, *names):
        for name in names:
            shutil.rmtree(self.path(name), ignore_errors=True)
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))

    def row(self, what, n, text):
        self.table.append((what, n, text))
        print(f"  {what:<22} {n:>8}  {text}", flush=True)

    def recorded(self, argv, folder, log=None, **env):
        """Runs argv under the recorder."""
        e = dict(os.environ, LD_PRELOAD=os.path.join(self.bin, "record.so"),
                 LOA_POWER_DIR=folder)
        if log:
            e["LOA_POWER_LOG"] = log
        e.update({"LOA_POWER_" + k.upper(): str(v) for k, v in env.items()})
        return subprocess.run(argv, env=e, capture_output=True, text=True,
                              timeout=120, check=False)

    def live(self, life, seed, **env):
        return self.recorded(
            [os.path.join(self.bin, "live"), self.path("store"), str(life),
             str(seed)], self.path("store"), self.path("log"), **env)

    def replay(self, mode, *args):
        return [os.path.join(self.bin, "replay"), mode, self.path("log"),
                *map(str, args)]

    # --- the loudspeaker's store ---------------------------------------------

    def record_lives(self, n):
        """Lives that end in good order, are killed, or lose their power, some
        with an fsync that failed once."""
        self.fresh("store", "log")
        for life in range(n):
            env = {}
            if life % 3:
                env["stop"] = self.rng.randrange(20, 700)
            if life % 4 == 3:
                env["fault"] = f"sync:{self.rng.randrange(1, 200)}:1:{errno.EIO}"
            r = self.live(life, self.seed * 1000 + life, **env)
            # A start that meets the fault ends with 1, and has said why.
            if r.returncode not in (0, 9) and not (
                    r.returncode == 1 and "fault" in env and r.stderr):
                raise Finding(f"life {life}: exit {r.returncode}: {r.stderr}")
            if life % 2:
                subprocess.run(self.replay("cut", self.path("store"),
                                           self.seed * 1000 + life),
                               check=True)

    def check_store(self):
        parts = os.cpu_count() or 1
        began = time.monotonic()
        runs = [subprocess.Popen(
            self.replay("check", self.path(f"image{i}"), self.images,
                        self.seed, i, parts),
            stdout=subprocess.PIPE, text=True) for i in range(parts)]
        outs = [r.communicate()[0] for r in runs]
        if any(r.returncode for r in runs):
            bad = next(o for r, o in zip(runs, outs) if r.returncode)
            number = bad.split("image=")[1].split()[0] if "image=" in bad else 0
            raise Finding(bad + "again: " + " ".join(self.replay(
                "one", self.path("again"), self.images, self.seed, number)))
        print("".join(outs), end="", flush=True)
        done = sum(int(o.split("images=")[1].split()[0]) for o in outs)
        played = sum(int(o.split("planned=")[1].split()[0]) for o in outs)
        flips = sum(int(o.split("told=")[1].split()[0]) for o in outs)
        if not played or not flips:
            raise Finding("nothing sounded, or no flip was seen: no test")
        self.row("speaker's store", done,
                 f"0 findings; {played} sounds as planned after a cut, "
                 f"{flips} flips told; {time.monotonic() - began:.0f} s")

    def check_lies(self):
        """A checker that does not see an fsync that is not there proves
        nothing."""
        for lie in LIES:
            self.fresh("store", "log")
            self.live(1, self.seed, lie=lie)
            r = subprocess.run(self.replay("check", self.path("image"), 4000,
                                           self.seed),
                               capture_output=True, text=True, check=False)
            if r.returncode != 1 or "FINDING" not in r.stdout:
                raise Finding(f"the planted fault {lie} was not found")
        self.row("planted: no fsync", len(LIES), "all found")

    def check_starts(self, n):
        """Images through the real program: it becomes ready and ends well."""
        identity = self.path("identity")
        subprocess.run([os.path.join(self.bin, "live"), "identity", identity],
                       check=True)
        for i in range(n):
            number = self.rng.randrange(self.images)
            subprocess.run(self.replay("make", self.path("real"), self.images,
                                       self.seed, number), check=True,
                           stdout=subprocess.DEVNULL)
            self.start_speaker(identity, number)
        self.row("loa-speaker starts", n, "0 findings: ready, ends with 0")

    def start_speaker(self, identity, number):
        p = subprocess.Popen(
            [os.path.join(self.build, "loa-speaker"), "--data-dir",
             self.path("real"), "--identity", identity, "--output",
             "wav:" + self.path("out.wav"), "--mqtt-port", "9"],
            stderr=subprocess.PIPE, text=True)
        said = ""
        timer_end = time.monotonic() + 20
        for line in p.stderr:
            said += line
            if "speaker.ready" in line or time.monotonic() > timer_end:
                break
        time.sleep(0.05)
        p.send_signal(signal.SIGTERM)
        said += p.stderr.read()
        if p.wait(20) != 0 or "speaker.ready" not in said:
            raise Finding(f"loa-speaker on image {number} (kept in "
                          f"{self.path('real')}): exit {p.returncode}\n{said}")

    def check_faults(self):
        """The n-th call fails, for every n."""
        self.fresh("base", "store")
        subprocess.run([os.path.join(self.bin, "live"), self.path("base"), "0",
                        str(self.seed)], check=True, stderr=subprocess.DEVNULL)
        r = self.recorded([os.path.join(self.bin, "faults"), self.path("base"),
                           self.path("store")], self.path("store"))
        print(r.stdout, end="")
        if r.returncode:
            raise Finding(r.stdout[-3000:] + r.stderr)
        n = sum(int(x.split("runs=")[1].split()[0])
                for x in r.stdout.splitlines() if "runs=" in x)
        self.row("n-th call fails", n, "0 findings; each recovers in a minute")

    def check_small_disk(self):
        """A real file system that is full, then read-only, then well again."""
        store, filler = self.path("store"), self.path("store", "filler")
        self.fresh("store", "log")
        os.mkdir(store)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=800k", "loa",
                           store], capture_output=True, check=False).returncode:
            self.row("real full disk", 0, "left out: mount is not allowed")
            return
        try:
            self.small_disk(store, filler)
        finally:
            subprocess.run(["umount", store], check=False)

    def small_disk(self, store, filler):
        if self.live(0, self.seed).returncode:
            raise Finding("the first life fails")
        with open(filler, "wb", buffering=0) as f:
            try:
                while f.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        began = os.path.getsize(self.path("log"))
        full = self.live(1, self.seed + 1)
        if full.returncode:
            raise Finding("on a full disk: " + full.stderr)
        sounds = self.sounds_after(began)
        if not sounds:
            raise Finding("on a full disk nothing sounds")
        subprocess.run(["mount", "-o", "remount,ro", store], check=True)
        ro = self.live(2, self.seed + 2)
        if ro.returncode != 1 or "Read-only" not in ro.stderr:
            raise Finding("on a read-only disk: " + ro.stderr)
        subprocess.run(["mount", "-o", "remount,rw", store], check=True)
        os.unlink(filler)
        if self.live(3, self.seed + 3).returncode:
            raise Finding("after it: it does not live")
        n = min(self.images, 2000)
        r = subprocess.run(self.replay("check", self.path("image"), n,
                                       self.seed),
                           capture_output=True, text=True, check=False)
        if r.returncode:
            raise Finding(r.stdout)
        self.row("real full disk", n, f"0 findings; {sounds} sounds while full; "
                 "then read-only, then well again")

    def sounds_after(self, at):
        with open(self.path("log"), "rb") as f:
            log, n = f.read(), 0
        while at < len(log):
            op, path, path2, _, _, size = struct.unpack_from("<IHHQQQ", log, at)
            at += 32 + path + path2
            n += op == OP_MARK and log[at] == ord("p")
            at += size
        return n

    # --- single files --------------------------------------------------------

    def mark(self, name):
        """What is in the file now is durable by its program's word."""
        with open(self.path("files", name), "rb") as f:
            body = f.read()
        data = struct.pack("<B63sqQ", ord("d"), name.encode(), 0, 0) + body
        with open(self.path("log"), "ab") as f:
            f.write(struct.pack("<IHHQQQ", OP_MARK, 0, 0, 0, 0, len(data)))
            f.write(data)

    def check_files(self, what, n, tell=True):
        r = subprocess.run(
            [os.path.join(self.bin, "replay_files"), self.path("log"),
             self.path("image"), str(n), str(self.seed)],
            capture_output=True, text=True, check=False)
        if r.returncode:
            raise Finding(f"{what}: {r.stdout}{r.stderr}")
        if tell:
            self.row(what, n, "0 findings: the old one or the new one")

    def check_writer(self, what, n):
        """Its own code, on a good disk and on one that refuses once."""
        faults = [""] + [f"{kind}:{nth}:1:{errno.EIO}"
                         for kind in ("sync", "write", "rename")
                         for nth in (1, 2, 3, 4, 7)]
        for fault in faults:
            self.fresh("files", "log")
            os.mkdir(self.path("files"))
            r = self.recorded([os.path.join(self.bin, "writers"), what,
                               self.path("files"), str(self.seed)],
                              self.path("files"), self.path("log"),
                              fault=fault)
            if r.returncode or bool(fault) != bool(r.stderr):
                raise Finding(f"{what}: {fault}: {r.stderr}")
            self.check_files(f"{what} {fault}", n // len(faults), False)
        self.row(f"file: {what}", n // len(faults) * len(faults),
                 "0 findings: the old one or the new one")

    def sound(self, seconds):
        name = self.path(f"in{seconds}.wav")
        rng = random.Random(seconds)
        with wave.open(name, "wb") as w:
            w.setparams((1, 2, 48000, 0, "NONE", ""))
            w.writeframes(b"".join(
                struct.pack("<h", int(rng.gauss(0, 3000)) % 20000 - 10000)
                for _ in range(48000 * seconds)))
        return name

    def programs(self):
        """(what, file, commands that each replace it)"""
        out = self.path("files", "frames")
        key = self.path("files", "key")
        ctl = os.path.join(self.build, "loactl")
        encode = os.path.join(self.build, "loa-encode")
        return [
            ("loa-encode", "frames",
             [[encode, "audio", self.sound(s), out] for s in (2, 3)]),
            ("loactl key new", "key", [[ctl, "key", "new", key]]),
        ]

    def check_program(self, what, name, commands, n):
        self.fresh("files", "log")
        os.mkdir(self.path("files"))
        for argv in commands:
            r = self.recorded(argv, self.path("files"), self.path("log"))
            if r.returncode:
                raise Finding(f"{what}: {r.stdout}{r.stderr}")
            self.mark(name)
        self.check_files("file: " + what, n)
        self.check_refusals(what, name, commands[-1])

    def check_refusals(self, what, name, argv):
        """The n-th call fails: it says so, and leaves what was there."""
        path, runs = self.path("files", name), 0
        for kind, code in [("write", errno.ENOSPC), ("write", errno.EIO),
                           ("sync", errno.EIO), ("rename", errno.EIO),
                           ("change", errno.EROFS)]:
            for nth in range(1, 60):
                if what.startswith("loactl"):
                    self.fresh("files")
                    os.mkdir(self.path("files"))
                else:
                    with open(path, "wb") as f:
                        f.write(b"old")
                r = self.recorded(argv, self.path("files"),
                                  fault=f"{kind}:{nth}:0:{code}")
                if r.returncode == 0:
                    break
                runs += 1
                said = (r.stdout + r.stderr).strip()
                left = [f for f in os.listdir(self.path("files"))
                        if f != name]
                if not said or "rror: 0" in said or r.returncode < 0:
                    raise Finding(f"{what}: {kind} {nth}: exit {r.returncode} "
                                  f"says '{said}'")
                if left and kind != "change":
                    raise Finding(f"{what}: {kind} {nth} leaves {left}")
            else:
                raise Finding(f"{what}: {kind} never works")
        self.row("refused: " + what, runs, "0 findings; each says why")

    # --- all -----------------------------------------------------------------

    def run(self):
        long = self.images >= 50000
        print(f"images={self.images} seed={self.seed} in {self.work}",
              flush=True)
        self.check_lies()
        self.record_lives(24 if long else 9)
        self.check_store()
        self.check_starts(300 if long else 15)
        self.check_small_disk()
        self.check_faults()
        for what in ("identity", "state"):
            self.check_writer(what, 5000 if long else 500)
        for what, name, commands in self.programs():
            self.check_program(what, name, commands, 5000 if long else 500)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", required=True)
    p.add_argument("--images", type=int, default=100000)
    p.add_argument("--seed", type=int, default=1)
    args = p.parse_args()
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    work = tempfile.mkdtemp(prefix="loa-power-", dir=base)
    power = Power(args.build, args.images, args.seed, work)
    began = time.monotonic()
    try:
        power.run()
    except Finding as e:
        print(e)
        print(f"FAIL power: images={args.images} seed={args.seed}; kept in "
              f"{work}")
        return 1
    shutil.rmtree(work, ignore_errors=True)
    total = sum(n for what, n, _ in power.table)
    print(f"{total} cases, 0 findings, {time.monotonic() - began:.0f} s")
    return 0


sys.exit(main())
