"""What the checker may excuse, and what not: made-up evidence, no processes."""
import collections

import check
import ends

T = 1_800_000_000_000_000  # The start of everything's bulletin, us.
S = 1_000_000
HERE = "vn/08/070/02215"


class Made(check.Check):
    """The evidence of one loudspeaker, p0, as the test makes it up."""

    def __init__(self):
        class Any:
            pass
        self.rig, self.office = Any(), Any()
        self.rig.speakers = {"p0": HERE}
        self.office.bulletins = []
        self.faults = {k: [] for k in ("lost", "doubled", "late", "foreign")}
        self.counts = collections.Counter()
        self.exceptions = collections.Counter()
        self.stops = collections.defaultdict(list)
        self.troubles = collections.defaultdict(list)
        self.receipts = collections.defaultdict(list)
        self.table, self.sounds, self.accepted = {}, {"p0": []}, {"p0": []}

    def bulletin(self, title="b", cls="normal", code=(1, 9), at_us=T,
                 asked_us=T - 17 * S):
        op = {"kind": "add", "code": 0, "asked_us": asked_us,
              "answered_us": asked_us + 50_000, "start_ms": at_us // 1000}
        b = {"title": title, "areas": [HERE], "class": cls, "ops": [op],
             "starts": [at_us // 1000],
             "content": {"code": code, "duration_ms": 1500,
                         "approved": "minh"}}
        self.office.bulletins.append(b)
        self.table[title] = [{"id": title, "start_ms": at_us // 1000,
                              "cancelled": False}]
        return b

    def tells(self, b, event, at_us, reason="", first_us=None):
        start_ms = None if event in ("received", "verified") else \
            b["starts"][-1]
        self.receipts[b["title"], "p0"].append({
            "event": event, "at_us": at_us, "reason": reason,
            "start_ms": start_ms, "first_sample_us": first_us, "id": b["title"]})

    def kill(self, name, at_us, stop_s=0):
        span = (at_us - 100_000, at_us + 300_000 + int(stop_s * S))
        self.troubles[name].append(span)
        if stop_s:
            self.stops[name].append(span)

    def sound_of(self, b, at_us, body_s=1.3, marked=True):
        self.sounds["p0"].append({"code": b["content"]["code"], "at_us": at_us,
                                  "marked": marked, "body_s": body_s})

    def found(self):
        by_id = {}
        for b in self.office.bulletins:
            row = self.table[b["title"]][0]
            by_id[row["id"]] = b
            self.broadcast(b, row)
        self.heard(by_id)
        return {k: len(v) for k, v in self.faults.items() if v}


def test_nothing_is_told_of_a_plan_that_was_known():
    c = Made()
    b = c.bulletin()
    c.kill("content-ingest", b["ops"][0]["asked_us"] - 2 * S)
    c.accepted["p0"] = [(T - 17 * S + 30_000, HERE, T // 1000 - 16_990)]
    assert c.found() == {"lost": 1}
    c.kill("speaker-p0", T)  # A kill is no excuse: it tells after its start.
    c.faults["lost"].clear()
    assert c.found() == {"lost": 1}


def test_nothing_is_told_of_a_plan_that_came_too_late():
    c = Made()
    c.bulletin(asked_us=T - 3 * S)
    c.kill("mosquitto", T - 2 * S)
    assert c.found() == {}
    assert c.exceptions == {"content or plan came late: nothing told": 1}


def test_content_comes_late_long_after_the_kill():
    c = Made()
    b = c.bulletin(asked_us=T - 40 * S)
    c.kill("content-ingest", T - 39 * S)
    c.tells(b, "received", T - 30 * S)
    c.tells(b, "refused", T, "incomplete")
    assert c.found() == {"lost": 1}


def test_late_though_verified_before_and_whole_since():
    c = Made()
    b = c.bulletin()
    c.kill("speaker-p0", T - 6 * S)
    c.tells(b, "received", T - 16 * S)
    c.tells(b, "verified", T - 4 * S)
    c.tells(b, "refused", T + 2 * S, "late")
    assert c.found() == {"lost": 1}


def test_no_sound_without_an_error_of_its_output():
    c = Made()
    b = c.bulletin()
    c.tells(b, "received", T - 16 * S)
    c.tells(b, "verified", T - 14 * S)
    c.tells(b, "refused", T + 2 * S, "sound")
    assert c.found() == {"lost": 1}
    c.faults["lost"].clear()
    c.kill("speaker-p0", T - S)  # An error of the disk, for one.
    assert c.found() == {}
    assert c.exceptions == {"speaker was struck: sound": 1}


def busy(told):
    c = Made()
    b, other = c.bulletin(), c.bulletin("p", "priority", (2, 9), T - S)
    for event, more in told:
        c.tells(other, event, T, first_us=T - S, **more)
    c.tells(b, "verified", T - 9 * S)
    c.tells(b, "refused", T + 2 * S, "busy")
    c.sound_of(other, T - S)
    return c.found(), c.exceptions


def test_busy_behind_a_priority_one():
    found, why = busy([("started", {}), ("finished", {})])
    assert found == {} and why == {"preempted by a priority one": 1}


def test_busy_and_the_priority_one_never_sounded():
    found, why = busy([("refused", {"reason": "late"})])
    assert found["lost"] == 2 and not why


def finished(*, stop_s=0, kill=False, sounds=()):
    c = Made()
    b = c.bulletin()
    for event in ("started", "finished"):
        c.tells(b, event, T, first_us=T)
    if stop_s or kill:
        c.kill("speaker-p0", T + 100_000, stop_s)
    for at_us, body_s, marked in sounds:
        c.sound_of(b, at_us, body_s, marked)
    return c.found(), c.exceptions


def test_stopped_within_the_marker():
    found, why = finished(stop_s=2, sounds=[(T + 2 * S, 1.3, False)])
    assert found == {} and why == {"speaker was stopped: marker": 1}


def test_finished_and_silent():
    assert finished()[0] == {"lost": 1}
    assert finished(stop_s=2)[0] == {"lost": 1}
    assert finished(kill=True)[0] == {"lost": 1}


def test_finished_and_not_to_its_end():
    assert finished(sounds=[(T, 1.3, True)])[0] == {}
    assert finished(sounds=[(T, 0.7, True)])[0] == {"lost": 1}
    assert finished(stop_s=2, sounds=[(T, 0.7, True)])[0] == {"lost": 1}


def test_goes_on_in_the_middle_after_a_death():
    found, _ = finished(kill=True, sounds=[(T, 0.3, True),
                                           (T + 2 * S, 1.0, False)])
    assert found["doubled"] == 1


def test_sounds_again_in_pieces():
    found, _ = finished(stop_s=2, sounds=[(T, 1.3, True),
                                          (T + 2 * S, 1.0, False)])
    assert found == {"doubled": 1}


def test_foreign_speech_while_a_recording_is_due():
    c = Made()
    b = c.bulletin()
    c.tells(b, "finished", T, first_us=T)
    c.sound_of(b, T)
    c.sounds["p0"].append({"code": None, "at_us": T + 3 * S, "marked": False,
                           "body_s": 2.0})
    assert c.found() == {"foreign": 1}


def test_speech_where_a_text_is_due():
    c = Made()
    c.tells(c.bulletin(code=None), "finished", T, first_us=T)
    c.sounds["p0"].append({"code": None, "at_us": T + S, "marked": False,
                           "body_s": 2.0})
    assert c.found() == {}


def test_cancelled_and_its_programme_was_known():
    c = Made()
    b = c.bulletin()
    b["ops"].append({"kind": "cancel", "code": 0, "start_ms": None,
                     "asked_us": T - 9 * S, "answered_us": T - 9 * S + 50_000})
    c.table["b"][0]["cancelled"] = True
    c.accepted["p0"] = [(T - 9 * S + 20_000, HERE, T // 1000 - 8_990)]
    c.sound_of(b, T)
    assert c.found() == {"foreign": 1}


def test_a_marker_and_then_the_whole_again():
    found, _ = finished(kill=True, sounds=[(T, 1.3, True)])
    assert found == {}
    c = Made()
    b = c.bulletin()
    c.kill("speaker-p0", T + 200_000)
    c.tells(b, "finished", T + S, first_us=T + S)
    c.sounds["p0"].append({"code": None, "at_us": T, "marked": True,
                           "body_s": 0.0})
    c.sound_of(b, T + S)
    assert c.found() == {"doubled": 1}


def test_sound_at_a_start_that_was_refused():
    c = Made()
    b = c.bulletin()
    op = b["ops"][0]
    b["ops"].insert(0, {**op, "code": 1, "start_ms": T // 1000 - 8000})
    b["starts"].insert(0, T // 1000 - 8000)
    c.tells(b, "finished", T, first_us=T)
    c.sound_of(b, T)
    assert c.found() == {}
    c.sound_of(b, T - 8 * S)
    assert c.found() == {"late": 1}


class Ended:
    """A history of kills and ends, and a log of each process."""

    def __init__(self, *facts, **logs):
        self.history, self.facts, self.lines = self, facts, logs

    def of(self, *what):
        return [f for f in self.facts if f["what"] in what]

    def logs(self):
        return [(k.replace("_", "-"), v) for k, v in self.lines.items()]


def test_a_loudspeaker_that_ends_by_itself():
    end = {"what": "end", "name": "speaker-p0", "status": 1, "at_us": T}
    kill = {"what": "kill", "name": "speaker-p0", "at_us": T - S}
    assert len(ends.unprovoked(Ended(end))) == 1
    assert not ends.unprovoked(Ended(end, kill))
    assert len(ends.unprovoked(Ended(end, {**kill, "name": "postgres"}))) == 1
    point = "at=2027-01-15T08:00:00.000Z event=failpoint.hit name=x action=eio"
    assert not ends.unprovoked(Ended(end, speaker_p0=[point]))
    assert not ends.unprovoked(Ended({**end, "name": "scheduler"},
                                     {**kill, "name": "postgres"}))
    earlier = {**kill, "at_us": T - 5 * S}
    assert len(ends.unprovoked(Ended(end, earlier))) == 1
    assert not ends.unprovoked(Ended({**end, "name": "postgres"},
                                     {**earlier, "name": "postgres"}))
