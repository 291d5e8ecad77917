"""A province whose processes may be killed: each is started again at once, with
a fail point if one is due, and what happened to it is written down."""
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.realpath(os.path.join(HERE, "../.."))
os.environ["LOA_BUILD"] = "build/plain-test"
sys.path.insert(0, os.path.join(HERE, "../integration"))
import province  # noqa: E402
import stack  # noqa: E402
from process import Process  # noqa: E402

NAMES = {"broker": "mosquitto"}  # Kind of process -> name in the stack.
PAUSE_S = 0.15
POINTS_MAX = 8  # Armed at once; the programs take 16.
HIT = re.compile(r'event=failpoint\.hit .*?name=(\S+) action="?([^\s"]+)')


def now_us():
    return time.time_ns() // 1000


class History:
    """Facts in the order in which they were seen; also a file, a line each."""

    def __init__(self, path):
        self.facts, self.lock = [], threading.Lock()
        self.file = open(path, "w", encoding="utf-8")

    def add(self, what, **more):
        fact = {"at_us": now_us(), "what": what, **more}
        with self.lock:
            self.facts.append(fact)
            self.file.write(json.dumps(fact, ensure_ascii=False) + "\n")
            self.file.flush()
        return fact

    def of(self, *what):
        with self.lock:
            return [f for f in self.facts if f["what"] in what]


class Victim(Process):
    """A process of the stack. A fail point stays with it from start to start
    until it has acted: most lives end, by other kills, before they pass a rare
    one."""

    def __init__(self, rig, name, *args, **kw):
        self.rig, self.points, self.read_at = rig, [], 0
        super().__init__(name, *args, **kw)

    def arm(self, point):
        if len(self.points) < POINTS_MAX:
            self.points.append(point)

    def unhit(self):
        """What is armed and has not acted, by the log since the last look."""
        if os.path.exists(self.log):
            with open(self.log, "rb") as f:
                f.seek(self.read_at)
                text = f.read()
            text = text[:text.rfind(b"\n") + 1]
            self.read_at += len(text)
            for name, action in HIT.findall(text.decode("utf-8", "replace")):
                self.points = [p for p in self.points if
                               (p.split(":")[0], p.split(":")[2])
                               != (name, action)]
        return self.points

    def start(self):
        self.rig.before_start(self)
        self.env.pop("LOA_FAILPOINT", None)
        armed = ",".join(self.unhit())
        if armed:
            self.env["LOA_FAILPOINT"] = armed
        super().start()
        self.rig.history.add("start", name=self.name, point=armed or None)
        # The next life passes it sooner.
        self.points = [f"{p.split(':')[0]}:1:{p.split(':')[2]}"
                       for p in self.points]

    def tend(self, tell=None):
        if self.wanted and self.popen.poll() is not None:
            if self.next_start == 0.0:
                self.rig.history.add("end", name=self.name,
                                     status=self.popen.returncode)
                self.next_start = time.monotonic() + PAUSE_S
            elif time.monotonic() >= self.next_start:
                self.next_start = 0.0
                self.start()

    def signal(self, sig):
        if self.popen.poll() is None:
            self.popen.send_signal(sig)


class Rig(province.Province):
    def __init__(self):
        super().__init__()
        os.makedirs(self.var, exist_ok=True)
        self.history = History(os.path.join(self.folder, "history.jsonl"))
        self.plays = {}      # Speaker -> WAV files of lives that are over.
        self.ctl_victims = []  # Kills that wait for a loactl.
        self.ctl_lock = threading.Lock()

    def spawn(self, name, argv, restart=True):
        os.makedirs(self.path("log"), exist_ok=True)
        self.processes[name] = Victim(self, name, argv,
                                      self.path("log", name + ".log"),
                                      restart=restart)

    def before_start(self, p):
        """Keep what the last life of a speaker played."""
        if not p.name.startswith("speaker-"):
            return
        device = p.name[len("speaker-"):]
        wav = self.path("wav", device + ".wav")
        if not os.path.exists(wav + ".start_us"):
            return
        lives = self.plays.setdefault(device, [])
        kept = f"{wav}.{len(lives)}"
        os.rename(wav + ".start_us", kept + ".start_us")
        if os.path.exists(wav):
            os.rename(wav, kept)
            lives.append(kept)

    def wavs(self, device):
        """(path, wall time of its first sample), of every life."""
        out = []
        for path in [*self.plays.get(device, ()),
                     self.path("wav", device + ".wav")]:
            if os.path.exists(path):
                with open(path + ".start_us", encoding="ascii") as f:
                    out.append((path, int(f.read())))
        return out

    # --- loactl, which is killed too ------------------------------------------

    def ctl(self, who, *args, timeout=15):
        """(answered JSON or None, exit code, sentence). -9: it was killed."""
        argv = [self.bin("loactl"), "--json", "--quiet", "--lang", "en",
                "--port", str(self.port), "--identity", self.key(who),
                "--timeout", str(timeout), *map(str, args)]
        with self.ctl_lock:
            kill = self.ctl_victims.pop(0) if self.ctl_victims else None
        env = dict(os.environ)
        if kill is not None and kill["how"] == "point":
            env["LOA_FAILPOINT"] = kill["point"]
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, env=env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if kill is not None:
            self._strike(p, kill)
        out, err = p.communicate()
        err = err.decode("utf-8", "replace").strip()
        if kill is not None and "abort" in kill.get("point", "") and \
                p.returncode == -signal.SIGKILL:
            self.history.add("hit", kind="loactl", line="name=mqtt.publish "
                             "action=abort")
        try:
            answer = json.loads(out.decode().strip().split("\n")[-1])
        except (ValueError, IndexError):
            answer = None
        return answer, p.returncode, err

    def _strike(self, p, kill):
        """Kill or stop this loactl in the middle of what it does."""
        if kill["how"] == "point":
            self.history.add("kill", **_named(kill))
            return
        time.sleep(kill["after_ms"] / 1000)
        if p.poll() is not None:
            with self.ctl_lock:  # It was quicker: the next one, then.
                self.ctl_victims.append(dict(kill, after_ms=max(
                    1, kill["after_ms"] // 2)))
            return
        if kill["how"] == "kill":
            p.kill()
        else:
            p.send_signal(signal.SIGSTOP)
            threading.Timer(kill["stop_s"], p.send_signal,
                            [signal.SIGCONT]).start()
        self.history.add("kill", **_named(kill))

    # --- PostgreSQL's back ends ---------------------------------------------------

    def backends(self, role):
        postmaster = self.processes["postgres"].popen.pid
        found = []
        try:
            with open(f"/proc/{postmaster}/task/{postmaster}/children",
                      encoding="ascii") as f:
                children = f.read().split()
            for pid in children:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if f"loa_{role} ".encode() in f.read():
                        found.append(int(pid))
        except OSError:
            pass
        return found

    # --- after it all -----------------------------------------------------------

    def logs(self):
        folder = self.path("log")
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), encoding="utf-8",
                      errors="replace") as f:
                yield name[:-len(".log")], f


class Killer:
    """Carries the plan out, one kill after the other."""

    def __init__(self, rig, kills):
        self.rig, self.kills, self.threads = rig, kills, []
        self.missed = 0
        self.unhit = []  # (process, point): armed to the end, and never passed.

    def run(self):
        began = time.monotonic()
        for kill in self.kills:
            time.sleep(kill["gap_s"])
            if not self.strike(kill):
                self.missed += 1
                self.rig.history.add("missed", **_named(kill))
        for t in self.threads:
            t.join()
        self._disarm()
        return time.monotonic() - began

    def _disarm(self):
        """What comes after the kills is not to be struck any more."""
        for p in self.rig.processes.values():
            if isinstance(p, Victim) and p.unhit():
                self.unhit += [(p.name, x) for x in p.points]
                p.points = []
                p.signal(signal.SIGKILL)

    def strike(self, kill):
        kind = kill["kind"]
        if kind == "loactl":
            with self.rig.ctl_lock:
                self.rig.ctl_victims.append(kill)
            return True
        name = NAMES.get(kind, kind)
        if kind == "speaker":
            name = "speaker-" + kill["device"]
        p = self.rig.processes[name]
        if not self._up(p, kill):
            return False
        if kill["how"].startswith("backend"):
            return self._backend(kill)
        self.rig.history.add("kill", name=name, **_named(kill))
        if kill["how"] == "stop":
            self._stop(lambda sig: p.signal(sig), kill["stop_s"])
        else:
            if "point" in kill:
                p.arm(kill["point"])
            p.signal(signal.SIGKILL)
        return True

    def _up(self, p, kill):
        """It runs; and half of the time it is ready, too."""
        end = time.monotonic() + 4
        while time.monotonic() < end:
            if p.popen.poll() is None and (
                    not kill["ready"] or kill["kind"] not in
                    self.rig_services() or self.rig.ready(kill["kind"])):
                return True
            time.sleep(0.03)
        return p.popen.poll() is None

    @staticmethod
    def rig_services():
        return [s[1] for s in stack.SERVICES]

    def _backend(self, kill):
        end = time.monotonic() + 4
        while not (pids := self.rig.backends(kill["role"])):
            if time.monotonic() > end:
                return False
            time.sleep(0.03)
        fd = os.pidfd_open(pids[0])

        def send(sig):
            try:
                signal.pidfd_send_signal(fd, sig)
            except ProcessLookupError:
                pass
        self.rig.history.add("kill", name="postgres", **_named(kill))
        if kill["how"] == "backend-kill":
            send(signal.SIGKILL)
        else:
            self._stop(send, kill["stop_s"])
        return True

    def _stop(self, send, stop_s):
        send(signal.SIGSTOP)
        t = threading.Timer(stop_s, send, [signal.SIGCONT])
        t.start()
        self.threads.append(t)


def _named(kill):
    return {k: v for k, v in kill.items() if k not in ("gap_s",)}


def choose_speakers(rig, n):
    """{id: commune}: as many as wished, over all districts."""
    communes = rig.communes()
    rng = random.Random(n)
    chosen = sorted(rng.sample(communes, min(n, len(communes))))
    return {f"p{i}": c for i, c in enumerate(chosen)}


