"""The work that goes on while processes die: several staff hand in, approve,
schedule, move, cancel, enrol and ask, each at their own pace."""
import random
import threading
import time

import tones
from province import iso
from rig import now_us

EDITORS = ("lan", "hoa", "tam")
APPROVERS = ("minh", "binh")
WORDS = ("Xã", "phường", "thông báo", "lịch", "tiêm phòng", "họp", "nước",
         "điện", "mưa lớn", "bà con", "chợ", "trường học", "sáng mai")
GAP_MS = 500
OK, REFUSED = 0, 1


class Slots:
    """Which time is taken where: bulletins that meet would be refused."""

    def __init__(self):
        self.lock, self.taken = threading.Lock(), []

    def find(self, areas, duration_ms, at_ms):
        with self.lock:
            now_ms = now_us() // 1000
            self.taken = [t for t in self.taken if t[2] > now_ms - 5000]
            while True:
                hit = [t for t in self.taken if _meet(areas, t[0])
                       and at_ms < t[2] and t[1] < at_ms + duration_ms]
                if not hit:
                    self.taken.append((areas, at_ms - GAP_MS,
                                       at_ms + duration_ms + GAP_MS))
                    return at_ms
                at_ms = max(t[2] for t in hit) + GAP_MS


def _meet(a, b):
    return any(x == y or x.startswith(y + "/") or y.startswith(x + "/")
               for x in a for y in b)


class Office:
    """Everything the staff share."""

    def __init__(self, rig, seed, areas):
        self.rig, self.seed, self.areas = rig, seed, areas
        self.slots, self.stopping = Slots(), threading.Event()
        self.lock, self.serial = threading.Lock(), 0
        self.codes = tones.pairs()
        random.Random(f"codes {seed}").shuffle(self.codes)
        self.bulletins, self.contents, self.devices = [], [], []
        self.asked = {}
        self.threads = []

    def next(self):
        with self.lock:
            self.serial += 1
            return self.serial

    def ask(self, who, *args, **kw):
        """loactl, counted; OK, REFUSED, or anything else: not known."""
        answer, code, text = self.rig.ctl(who, *args, **kw)
        with self.lock:
            key = (args[0] if args[0] in ("report", "status") else
                   " ".join(args[:2])), code
            self.asked[key] = self.asked.get(key, 0) + 1
        self.rig.history.add("asked", who=who, args=list(map(str, args)),
                             code=code, text=text if code else "")
        return answer, code, text

    def start(self):
        for who in EDITORS:
            self._go(Editor(self, who).run)
        self._go(self._administer)

    def _go(self, target):
        t = threading.Thread(target=target, daemon=True)
        t.start()
        self.threads.append(t)

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join()

    def _administer(self):
        """The registry's part: devices get codes, areas get names."""
        rng = random.Random(f"admin {self.seed}")
        while not self.stopping.wait(rng.uniform(0.5, 1.5)):
            n = self.next()
            known = [d["id"] for d in self.devices if d["code"] == 0]
            if known and rng.random() < 0.15:
                # A new list of revocations goes to everybody.
                self.ask("admin", "device", "revoke", rng.choice(known))
            elif rng.random() < 0.6:
                area = rng.choice(self.areas["commune"])
                _, code, _ = self.ask("admin", "device", "enrol", area, "--id",
                                      f"new_{n}", "--serial", f"N{n}")
                self.devices.append({"id": f"new_{n}", "code": code})
            elif rng.random() < 0.5:
                self.ask("admin", "status")
            else:
                self.ask("admin", "device", "ls")


class Editor:
    def __init__(self, office, who):
        self.o, self.who = office, who
        self.rng = random.Random(f"{who} {office.seed}")

    def run(self):
        while not self.o.stopping.is_set():
            self.bulletin()
            time.sleep(self.rng.uniform(0, 0.6))

    # --- contents -----------------------------------------------------------------

    def _recording(self, n):
        code = self.o.codes[n % len(self.o.codes)]
        path = self.o.rig.path(f"in-{n}.wav")
        tones.make(path, code, self.rng.uniform(0.8, 1.4))
        return code, ["content", "add", path]

    def _text(self, n):
        words = " ".join(self.rng.sample(WORDS, 3))
        return None, ["content", "say", f"{words} {n}"]

    def hand_in(self, n, texts=True):
        """Asked again, as a person would, when nobody answered."""
        code, args = (self._text(n) if self.rng.random() < 0.12 and texts
                      else self._recording(n))
        for _ in range(3):
            answer, rc, _ = self.o.ask(self.who, *args)
            if rc == OK and answer:
                c = {"hash": answer["content"], "code": code,
                     "duration_ms": answer["duration_ms"], "approved": None}
                self.o.contents.append(c)
                return c
            if rc == REFUSED or self.o.stopping.is_set():
                return None
        return None

    def approve(self, content):
        who = self.rng.choice(APPROVERS)
        for _ in range(3):
            _, rc, _ = self.o.ask(who, "content", "approve", content["hash"])
            if rc == OK:
                content["approved"] = who
                return True
            if rc == REFUSED or self.o.stopping.is_set():
                return False
        return False

    # --- bulletins ------------------------------------------------------------------

    def _areas(self):
        dice, areas = self.rng.random(), self.o.areas
        if dice < 0.55:
            return [self.rng.choice(areas["commune"])]
        if dice < 0.75:
            return sorted(self.rng.sample(areas["commune"], 2))
        if dice < 0.95:
            return [self.rng.choice(areas["district"])]
        return ["vn"]

    def bulletin(self):
        n = self.o.next()
        content = self.hand_in(n)
        if content is None:
            return
        forget = self.rng.random() < 0.06  # Nobody approves this one.
        if not forget and not self.approve(content):
            return
        b = {"title": f"soak {n}", "content": content, "areas": self._areas(),
             "id": None, "starts": [], "ops": [], "who": self.who,
             "class": "priority" if self.rng.random() < 0.1 else "normal"}
        self._add(b)
        self.o.bulletins.append(b)
        if b["id"] is not None:
            self._afterwards(b)

    def _op(self, b, kind, *args, start_ms=None):
        op = {"kind": kind, "asked_us": now_us(), "start_ms": start_ms}
        b["ops"].append(op)
        answer, op["code"], op["text"] = self.o.ask(self.who, *args)
        op["answered_us"] = now_us()
        return answer, op["code"]

    def _start(self, b):
        """Priority ones take what time they like, and interrupt."""
        at_ms = now_us() // 1000 + self.rng.randint(2500, 6000)
        if b["class"] == "priority":
            return at_ms
        return self.o.slots.find(b["areas"], b["content"]["duration_ms"],
                                 at_ms)

    def _add(self, b):
        for _ in range(2):
            at_ms = self._start(b)
            b["starts"].append(at_ms)
            answer, rc = self._op(
                b, "add", "schedule", "add", b["content"]["hash"], *b["areas"],
                "--at", iso(at_ms), "--yes", "--title", b["title"], "--class",
                b["class"], start_ms=at_ms)
            if rc == OK and answer:
                b["id"] = answer["entries"][0]["bulletin"]
            if rc != REFUSED or b["content"]["approved"] is None:
                return

    def _afterwards(self, b):
        dice = self.rng.random()
        if dice < 0.12:
            self._op(b, "cancel", "schedule", "cancel", b["id"])
        elif dice < 0.26:
            at_ms = self._start(b)
            b["starts"].append(at_ms)
            self._op(b, "move", "schedule", "change", b["id"], "--at",
                     iso(at_ms), "--yes", start_ms=at_ms)
        elif dice < 0.36:
            self.o.ask(self.who, "report", b["id"])
        elif dice < 0.42:
            self.o.ask(self.who, "schedule", "ls")
