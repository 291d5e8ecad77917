"""loa-speaker and a clock that jumps while it plays, that is wrong when it
starts, or that it does not have: each occurrence sounds at most once, in full,
never by a wrong clock, and its receipts say what became of it.

One loudspeaker per case, all at the same time: a jump costs a minute of waiting
only once.
"""
import time

import pytest

import loa_identity as li
from loa_broker import wait_until
from loa_identity import pb, programme as ppb, registry
from loa_service import Shift
from speaker_rig import Rig, correlate, speechlike

HOUR, DAY = 3600, 86400
YEAR_1970 = -int(time.time()) + 100
YEAR_2038 = 2147483648 - int(time.time())
YEAR_2106 = 4294967296 - int(time.time())
AWAY = {"+1 h": HOUR, "-1 h": -HOUR, "+1 d": DAY, "-1 d": -DAY,
        "1970": YEAR_1970, "2038": YEAR_2038, "2106": YEAR_2106}


class Case:
    def __init__(self, rig, n, name, content, starts, at_start_s=0, options=()):
        self.rig, self.name, self.content = rig, name, content
        self.area = f"vn/08/070/{n:05d}"
        self.shift, self.opened_s = Shift(at_start_s), at_start_s
        self.pole = rig.speaker(f"pole_{n}", self.area, start=False,
                                options=options)
        self.pole.start(self.shift.env)
        self.b = rig.bulletin(content, *starts)

    def publish(self):
        self.rig.publish_programme(self.area, [self.b])
        self.rig.publish_head(self.area)
        self.rig.push(self.content, self.area)

    def wait_end(self, start):
        wait_until(lambda: self.ends(start), f"{self.name}: an end; has "
                   + self.pole.receipts_text())

    def of(self, start, *events):
        return [r for e in events for r in self.pole.receipts(e, self.b.id)
                if r.start_at_ms == start]

    def ends(self, start):
        return self.of(start, "FINISHED", "INTERRUPTED", "REFUSED")

    def sounded(self, start):
        """In full, once, at its time by the true clock, and so it is told."""
        assert len(self.of(start, "STARTED")) == 1, self.name
        (end,) = self.of(start, "FINISHED")
        assert end.played_ms == self.content.duration_ms, self.name
        assert abs(end.first_sample_us - start * 1000) < 200000, self.name

    def heard(self, *starts, off_ms=0):
        """The WAV holds these and nothing else, up to off_ms away."""
        x = self.pole.samples()
        loud = 0
        for start in starts:
            at = self.pole.index(start + self.opened_s * 1000)
            c, shift = max(
                (correlate(x, self.content.pcm, at + d)[0], d)
                for d in range(-48 * off_ms, 48 * off_ms + 1, 480))
            assert c > 0.9, (self.name, c)
            at += shift
            loud += x[at - 2400:at + len(self.content.pcm) + 4800].any()
            x = x.copy()
            x[at - 2400:at + len(self.content.pcm) + 4800] = 0
        assert loud == len(starts) and not x.any(), self.name


@pytest.fixture(name="rig")
def make_rig():
    with Rig() as rig:
        yield rig


def finish(cases):
    for c in cases:
        c.pole.stop()
        c.shift.remove()


def test_jumps_while_playing(rig):
    """Away a second into the first occurrence, back again before the third."""
    content = rig.content(speechlike(3))
    starts = [rig.soon(12), rig.soon(20), rig.soon(34)]
    cases = [Case(rig, n + 1, name, content, starts)
             for n, name in enumerate(AWAY)]
    for c in cases:
        c.pole.wait_online(20)
        c.publish()
    for c in cases:
        c.pole.wait_receipt("STARTED", c.b.id)
        c.shift.set(AWAY[c.name])
    wait_until(lambda: rig.now_ms() > starts[1] + 4000, "the second is over")
    for c in cases:
        c.shift.set(0)
    for c in cases:
        for start in starts:
            c.wait_end(start)
    for c in cases:
        c.sounded(starts[0])
        assert not c.of(starts[1], "STARTED"), c.name
        # A clock that went ahead within the programme has passed the third,
        # too, has told so, and does not say it any more.
        passed = c.of(starts[2], "REFUSED")
        assert bool(passed) == (c.name in ("+1 h", "+1 d")), (
            c.name, c.pole.receipts_text())
        if not passed:
            c.sounded(starts[2])
        for start in starts:
            assert len(c.ends(start)) == 1, (c.name, c.pole.receipts_text())
    finish(cases)
    for c in cases:
        third = [] if c.of(starts[2], "REFUSED") else [starts[2]]
        c.heard(starts[0], *third)


def test_wrong_from_the_first_start(rig):
    """And set right later: nothing before that, everything after. What lies
    before its first clock is taken as heard by a memory that was lost: a clock
    that was up to a day ahead costs that day."""
    content = rig.content(speechlike(2))
    starts = [rig.soon(10), rig.soon(26)]
    cases = [Case(rig, n + 1, name, content, starts, shift)
             for n, (name, shift) in enumerate(AWAY.items())]
    for c in cases:
        c.pole.wait_online(20)
        c.publish()
    wait_until(lambda: rig.now_ms() > starts[0] + 3000, "the first is over")
    for c in cases:
        assert not c.pole.receipts("STARTED"), c.name
        c.shift.set(0)
    for c in cases:
        c.pole.wait_log("event=programme.accepted")
        rig.push(content, c.area)
    late = ("+1 h", "+1 d")
    for c in cases:
        if c.name not in late:
            c.wait_end(starts[1])
            c.sounded(starts[1])
    for c in cases:
        assert c.name not in late or not c.ends(starts[1]), c.name
    finish(cases)
    for c in cases:
        c.heard(*([] if c.name in late else [starts[1]]))


def test_without_a_clock(rig):
    """It asks, and goes by the answer alone, whatever its own clock says."""
    content = rig.content(speechlike(2))
    cases = [Case(rig, n + 1, name, content, [], shift,
                  options=["--clock", "none"])
             for n, (name, shift) in enumerate(AWAY.items())]
    asked = []

    def answer(_client, _data, m):
        area = m.topic.split("scheduler/")[1]
        asked.append(area)
        rig.publish("head", area, rig.scheduler.envelope(
            pb.TYPE_HEAD, ppb.Head(
                time_ms=li.now_ms(),
                nonce=registry.TimeRequest.FromString(m.payload).nonce),
            area=area.split("/@")[0], ttl_ms=900000))
    for c in cases:
        c.pole.wait_online()
    start = rig.soon(20)    # Not before all of them know of it.
    for c in cases:
        c.b = rig.bulletin(content, start)
        c.publish()
    assert not any(c.pole.receipts() for c in cases)
    rig.client.message_callback_add("loa/1/rpc/scheduler/#", answer)
    rig.client.subscribe("loa/1/rpc/scheduler/#", 1)
    for c in cases:
        c.pole.wait_log("event=programme.accepted")
        rig.push(content, c.area)
    for n, c in enumerate(cases):
        c.shift.set(0 if n % 2 else 7 * HOUR)  # It does not look there.
        c.wait_end(start)
        c.sounded(start)
    finish(cases)
    for c in cases:
        c.heard(start, off_ms=100)  # An answer's way is not even.
