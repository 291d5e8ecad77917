"""Many attacks at a time, each on a loudspeaker of its own.

The attacker owns the broker, its retained messages, everything that was ever
sent, and the keys that an attack says it has. What it wants to be heard is the
content `evil`. Afterwards the honest keys plan the content `good` for every
loudspeaker. The oracle is the WAV file of each loudspeaker and its receipts:

    before the honest start   nothing but zeros (or what the attack may do)
    at the honest start       `good`, complete
    receipts                  no STARTED and no FINISHED but for what sounded

    @attack("P3 #1", key="scheduler")
    def rolled_back(t): ...
"""
import concurrent.futures
import threading
import time

import numpy as np

import loa_identity as li
from loa_broker import wait_until
from speaker_rig import RATE, Rig, correlate, speechlike

WAVE_N = 16         # loudspeakers at the same time
LEAD_S = 11         # from the start of a wave to the moment of the attacks
GOOD_S = 1.2
EDGE = RATE // 100    # a start is right within 10 ms
WORKERS = 8


def _locked_issue():
    """Attacks run in threads: serial numbers of one issuer must differ."""
    lock, issue = threading.Lock(), li.Identity.issue

    def locked(self, *a, **k):
        with lock:
            return issue(self, *a, **k)
    li.Identity.issue = locked


_locked_issue()


class Attacks(dict):
    """name -> function, with what it stands for and what it may do."""

    def __call__(self, stands_for, key="none", may=None, options=(),
                 after=True, identity=None):
        def add(f):
            assert f.__name__ not in self, f.__name__
            f.stands_for, f.key, f.may = stands_for, key, may
            f.options, f.after, f.identity = options, after, identity
            self[f.__name__] = f
            return f
        return add


class Target:
    """One loudspeaker under one attack."""

    def __init__(self, rig, f, n, evil, start):
        self.rig, self.f, self.name = rig, f, f.__name__
        self.evil, self.start = evil, start
        self.area = f"vn/08/070/{n:05d}"
        self.approver, self.scheduler = rig.approver, rig.scheduler
        self.registry = rig.registry
        self.after_ms = 0           # the honest programme's version, at least
        self.reason = None          # of the REFUSED receipt, where there is one
        self.wrong = None           # what the attack itself found
        self.revocations = 0
        self.pole = rig.speaker(f"pole_{n}", self.area, options=f.options,
                                identity=f.identity and f.identity(
                                    rig, f"pole_{n}", self.area))

    # --- what the attacker does

    def send(self, kind, payload, area=None, retain=False, qos=1):
        self.rig.publish(kind, area or self.area, payload, retain, qos)

    def bulletin(self, content=None, start=None, **more):
        return self.rig.bulletin(content or self.evil, start or self.start,
                                 **more)

    def programme(self, bulletins, **more):
        more.setdefault("area", self.area)
        return self.rig.programme(bulletins=bulletins, **more)

    def plan(self, envelope, area=None):
        """A programme, and the sound for it."""
        self.send("programme", envelope, area, retain=True)
        self.push()

    def honest(self, **more):
        """evil, as an honest programme would have it, but for `more`."""
        b = self.bulletin(**more)
        self.plan(self.programme([b]))
        return b

    def push(self, content=None):
        content = content or self.evil
        for i in range(content.packets_n):
            self.send("content", content.packet(i), qos=0)

    def revoke(self, *who, signer=None, number=None, **more):
        self.revocations = number or self.revocations + 1
        self.send("trust", (signer or self.registry).trust_list(
            self.revocations, revoked=who, **more), retain=True)

    def again(self):
        """Power off and on."""
        self.pole.stop()
        self.rig.states.pop(self.pole.device, None)
        return self.pole.start().wait_online()

    # --- what may be seen

    def zero_before(self, at_ms):
        heard = self.pole.samples()[:max(0, self.pole.index(at_ms))]
        return not heard.any()

    def refused(self):
        """Until the loudspeaker has said in its log that it refused."""
        self.pole.wait_log("event=message.refused")


def good_after(t, good, start):
    b = t.rig.bulletin(good, start, approver=t.approver)
    t.good_id = b.id
    version = max(li.now_ms(), t.after_ms + 1)
    envelope = t.rig.programme(t.area, [b], version=version,
                               signer=t.scheduler)
    t.rig.publish("programme", t.area, envelope, retain=True)
    t.push(good)


def judge(t, good, good_start):
    """None, or the sentence that says what was wrong."""
    evil_receipts = [r for r in t.pole.receipts("STARTED")
                     if r.bulletin_id != getattr(t, "good_id", None)]
    if t.wrong is not None:
        return t.wrong
    if t.f.may is None and evil_receipts:
        return f"{t.name}: it began: {t.pole.receipts_text()}"
    heard = t.pole.samples()
    until = t.pole.index(good_start) if t.f.after else len(heard)
    before = heard[:max(0, until - EDGE)]
    if t.f.may is None and before.any():
        return f"{t.name}: {int(np.count_nonzero(before))} samples sounded"
    if t.f.may is not None:
        said = t.f.may(t, before, evil_receipts)
        if said is not None:
            return f"{t.name}: {said}"
    if t.reason is not None:
        reasons = {r.reason for r in t.pole.receipts("REFUSED")}
        if t.reason not in reasons:
            return f"{t.name}: refused for {reasons}, not {t.reason}"
    if not t.f.after:
        return None
    c, _ = correlate(heard, good.pcm, until)
    if c < 0.9:
        return (f"{t.name}: the honest bulletin afterwards did not sound: "
                f"{c:.2f}; {t.pole.receipts_text()}")
    end = until + len(good.pcm) + RATE // 10
    if heard[end:].any():
        return f"{t.name}: something sounded after the honest bulletin"
    return None


def run_wave(functions, verdicts, rig_type):
    with rig_type() as rig, concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        evil = rig.content(speechlike(1.5, seed=66))
        good = rig.content(speechlike(GOOD_S, seed=7))
        start = rig.soon(LEAD_S)
        targets = [Target(rig, f, n + 1, evil, start)
                   for n, f in enumerate(functions)]
        for t in targets:
            t.pole.wait_online(30)
        list(pool.map(lambda t: _try(t), targets))
        wait_until(lambda: rig.now_ms() > max(
            [start + 1800] + [getattr(t, "until_ms", 0) for t in targets]),
            "the moment", 120)
        good_start = rig.soon(4)
        after = [t for t in targets if t.f.after]
        for t in after:
            good_after(t, good, good_start)
        end = time.monotonic() + 12
        while time.monotonic() < end and not all(
                t.pole.receipts("FINISHED", t.good_id) for t in after):
            time.sleep(0.05)
        for t in targets:
            t.pole.stop()
        for t in targets:
            verdicts[t.name] = judge(t, good, good_start)
            if verdicts[t.name] is not None:
                verdicts[t.name] += "\n" + t.pole.log()[-3000:]


def _try(t):
    try:
        t.f(t)
    except Exception as e:  # the other attacks of the wave go on
        t.wrong = f"{t.name}: {type(e).__name__}: {e}"
    if t.wrong is None and t.rig.now_ms() > t.start - 300:
        t.wrong = f"{t.name}: out too late to count: this machine is too busy"


def run(attacks, wave_n=WAVE_N, rig=Rig):
    """{name: None or what was wrong}, for every attack."""
    verdicts, functions = {}, list(attacks.values())
    for i in range(0, len(functions), wave_n):
        run_wave(functions[i:i + wave_n], verdicts, rig)
    return verdicts


# --- what an attack may do at most ----------------------------------------------

def once(t, before, started):
    """Approved and scheduled by honest keys: it sounds once, whatever comes."""
    if len(started) != 1:
        return f"{len(started)} starts: {t.pole.receipts_text()}"
    loud = np.flatnonzero(before)
    if len(loud) == 0:
        return "nothing sounded"
    if loud[-1] - loud[0] > len(t.evil.pcm) + RATE // 10:
        return f"{(loud[-1] - loud[0]) / RATE:.1f} s sounded"
    return None
