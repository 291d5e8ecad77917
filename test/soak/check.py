"""The whole history against what may be: lost, doubled, late, foreign.

What is believed: the tables after everything has settled, the WAV files of the
loudspeakers, and the history that the driver wrote. An exception (a speaker
that was dead, a content that came too late) counts only where the history has
the kill that explains it; exceptions are counted by name.
"""
import collections
import datetime

import settled
import tones
from settled import rows

LATE_US = 2_300_000   # AGENDA_LATE_MS and a period, seen from outside.
EARLY_US = 90_000
REACH_US = 8_000_000  # After a kill, everybody is connected again by then.
DISK_US = 12_000_000  # After an I/O error the disk is tried again.
LATEST_US = 4_000_000 # So long before its start a plan comes at the latest.
NEVER_US = 1 << 62
STRUCK = ("restarted", "late", "incomplete", "storage", "sound",
          "nothing told")
TOO_LATE = ("late", "incomplete", "cancelled", "nothing told")
EVENTS = {1: "received", 2: "verified", 3: "started", 4: "finished",
          5: "interrupted", 6: "refused", 7: "command"}
PATH = ("postgres", "mosquitto", "scheduler", "content-ingest")


class Check:
    def __init__(self, rig, office):
        self.rig, self.office = rig, office
        self.faults = {k: [] for k in ("lost", "doubled", "late", "foreign")}
        self.counts = collections.Counter()
        self.exceptions = collections.Counter()
        self.stops = collections.defaultdict(list)
        self.troubles = self._troubles()
        self.table = self._bulletins()
        self.receipts = self._receipts()
        self.sounds = {d: self._sounds(d) for d in rig.speakers}
        self.accepted = {d: self._accepted(d) for d in rig.speakers}

    def fault(self, kind, text, **more):
        self.faults[kind].append(text + "".join(
            f" {k}={v}" for k, v in more.items()))

    def all(self):
        self.contents()
        self.registered()
        by_id = {}
        for b in self.office.bulletins:
            row = self.promised(b)
            if row is not None:
                by_id[row["id"]] = b
                self.broadcast(b, row)
        self.heard(by_id)
        self.numbering()
        self.retained()
        return self

    # --- what the tables and files say ------------------------------------------

    def _bulletins(self):
        out = collections.defaultdict(list)
        for table in ("bulletin", "bulletin_past"):
            for r in rows(self.rig, f"""
                SELECT encode(bulletin_id, 'hex') id, title,
                  (extract(epoch FROM start_at) * 1000)::bigint start_ms,
                  cancelled_at IS NOT NULL cancelled, cancelled_why why
                FROM scheduler.{table}"""):
                out[r["title"]].append(r)
        return out

    def _receipts(self):
        out = collections.defaultdict(list)
        for r in rows(self.rig, """
                SELECT device, encode(log_id, 'hex') log, sequence, event,
                  encode(bulletin_id, 'hex') id, reason, at_us, played_ms,
                  (extract(epoch FROM start_at) * 1000)::bigint start_ms,
                  first_sample_us
                FROM telemetry.receipt ORDER BY device, sequence"""):
            r["event"] = EVENTS[r["event"]]
            out[r["id"], r["device"]].append(r)
        return out

    def _sounds(self, device):
        found = []
        for path, start_us in self.rig.wavs(device):
            found += tones.heard(path, start_us)
        return found

    def _accepted(self, device):
        """[(when, area, version)] of the programmes that it adopted."""
        out = []
        path = self.rig.path("log", f"speaker-{device}.log")
        with open(path, encoding="utf-8", errors="replace") as f:
            for line in f:
                if "event=programme.accepted" in line:
                    w = dict(x.split("=", 1) for x in line.split() if "=" in x)
                    out.append((logged_us(line), w["area"],
                                int(w["version"])))
        return out

    def _troubles(self):
        """{process: [(from, to)]}: when it was dead, stopped or starting."""
        out = collections.defaultdict(list)
        for f in self.rig.history.of("kill", "start", "end"):
            if "name" not in f:
                continue
            end = f["at_us"] + 300_000
            if f["what"] == "kill" and f["how"].endswith("stop"):
                end += int(f["stop_s"] * 1e6)
                self.stops[f["name"]].append((f["at_us"] - 100_000, end))
            out[f["name"]].append((f["at_us"] - 100_000, end))
        for name, f in self.rig.logs():
            for line in f:
                if "event=failpoint.hit" in line and "abort" not in line:
                    at_us = logged_us(line)
                    eio = "=eio" in line
                    out[name].append((at_us - 100_000, at_us + (
                        DISK_US if eio else 600_000)))
                    if not eio:
                        self.stops[name].append(out[name][-1])
        return out

    def stopped(self, name, from_us, to_us):
        """It stood still in this time, and went on: no death."""
        return any(a < to_us and from_us < b for a, b in self.stops[name])

    def troubled(self, name, from_us, to_us):
        return any(a < to_us and from_us < b for a, b in self.troubles[name])

    def path_troubled(self, from_us, to_us):
        return any(self.troubled(n, from_us - REACH_US, to_us) for n in PATH)

    # --- lost: what was promised ---------------------------------------------------

    def contents(self):
        have = {r["h"]: r["n"] for r in rows(self.rig, """
            SELECT encode(c.content_hash, 'hex') h, count(a.approval_id) n
            FROM content.content c LEFT JOIN content.approval a
            USING (content_hash) GROUP BY 1""")}
        for c in self.office.contents:
            self.counts["contents"] += 1
            if c["hash"] not in have:
                self.fault("lost", "content", content=c["hash"])
            elif c["approved"] and not have[c["hash"]]:
                self.fault("lost", "approval", content=c["hash"])

    def registered(self):
        have = {r["id"] for r in rows(self.rig,
                                      "SELECT id FROM registry.device")}
        for d in self.office.devices:
            if d["code"] == 0:
                self.counts["codes"] += 1
                if d["id"] not in have:
                    self.fault("lost", "device code", device=d["id"])

    def promised(self, b):
        """Its row, or None if it was never accepted; the plan must be what the
        last answered request made it, or a later one that nobody answered."""
        found = self.table.get(b["title"], [])
        if len(found) > 1:
            self.fault("doubled", "two bulletins", title=b["title"])
        adds = [o for o in b["ops"] if o["kind"] == "add"]
        accepted = any(o["code"] == 0 for o in adds)
        if not found:
            if accepted:
                self.fault("lost", "bulletin", title=b["title"])
            return None
        row = found[0]
        self.counts["bulletins"] += 1
        if not accepted and all(o["code"] == 1 for o in adds):
            self.fault("foreign", "refused but there", title=b["title"])
        if b["content"]["approved"] is None:
            self.fault("foreign", "accepted unapproved", title=b["title"])
        starts, cancelled = set(), {False}
        for o in b["ops"]:
            if o["kind"] == "cancel":
                cancelled = {True} if o["code"] == 0 else (
                    cancelled | ({True} if o["code"] != 1 else set()))
            elif o["code"] == 0:
                starts = {o["start_ms"]}
            elif o["code"] != 1:
                starts.add(o["start_ms"])
        if row["start_ms"] not in starts:
            self.fault("lost", "start", title=b["title"],
                       is_ms=row["start_ms"], said_ms=sorted(starts))
        if row["cancelled"] not in cancelled:
            self.fault("lost", "cancellation", title=b["title"])
        return row

    # --- lost: what should have sounded ----------------------------------------------

    def devices_of(self, b):
        return [d for d, area in self.rig.speakers.items() if any(
            area == a or area.startswith(a + "/") for a in b["areas"])]

    def broadcast(self, b, row):
        if row["cancelled"]:
            return
        changed = [o["answered_us"] for o in b["ops"] if o["kind"] != "add"
                   or o["code"] != 1]
        for device in self.devices_of(b):
            self.counts["occurrences"] += 1
            self.occurrence(b, row, device, max(changed, default=0))

    def occurrence(self, b, row, device, known_us):
        start_us = row["start_ms"] * 1000
        end_us = start_us + b["content"]["duration_ms"] * 1000
        name = "speaker-" + device
        about = [r for r in self.receipts[row["id"], device]
                 if r["start_ms"] in (None, row["start_ms"])]
        ends = [r for r in about
                if r["event"] in ("finished", "interrupted", "refused")]
        tag = {"title": b["title"], "device": device, "start": row["start_ms"]}
        if any(r["event"] == "finished" for r in ends):
            self.counts["played"] += 1
            return
        verified = self._told_at(about, "verified")
        knew = min(self.knew(b, device), self._told_at(about, "received")
                   if len(b["ops"]) == 1 else NEVER_US)
        why = ends[-1]["reason"] if ends else "nothing told"
        late = max(verified, known_us) > start_us - 300_000
        asked_us = b["ops"][0]["asked_us"]
        if not ends and knew < start_us - 1_500_000:
            # Whatever strikes it: what it knew of, it tells of.
            self.fault("lost", "no receipt of the end", **tag)
        elif self.in_the_way(b, row, device, why):
            self.exceptions["preempted by a priority one"] += 1
        elif why in STRUCK and self.troubled(name, start_us - 1_500_000,
                                             end_us + 300_000):
            self.exceptions[f"speaker was struck: {why}"] += 1
        elif late and why in TOO_LATE and self.path_troubled(
                max(asked_us, start_us - LATEST_US), start_us):
            self.exceptions[f"content or plan came late: {why}"] += 1
        elif late and why in TOO_LATE and self.troubled(
                name, max(asked_us, start_us - LATEST_US) - REACH_US,
                start_us):
            self.exceptions[f"speaker was struck before: {why}"] += 1
        else:
            self.fault("lost", "did not sound", why=why,
                       verified_ms=(verified - start_us) // 1000
                       if verified < NEVER_US else None, **tag)

    @staticmethod
    def _told_at(receipts, event):
        return min((r["at_us"] for r in receipts if r["event"] == event),
                   default=NEVER_US)

    def knew(self, b, device):
        """When its own log says that it took a programme with the last word
        about this bulletin. Versions are milliseconds: one from before the
        answer has the change only if nothing else was changed meanwhile."""
        last = b["ops"][-1]
        if any(o["code"] not in (0, 1) for o in b["ops"]) or last["code"] != 0:
            return NEVER_US
        since = last["asked_us" if self.alone(last) else "answered_us"] // 1000
        return min((at for at, area, version in self.accepted[device]
                    if area in b["areas"] and version > since),
                   default=NEVER_US)

    def alone(self, op):
        """Was nothing else asked of the plan while this was?"""
        return not any(o is not op and o["asked_us"] <= op["answered_us"] and
                       op["asked_us"] <= o["answered_us"]
                       for b in self.office.bulletins for o in b["ops"])

    def in_the_way(self, b, row, device, why):
        """Was it a priority one that kept this normal one from sounding? The
        device itself must have told of that one, around this start; and if it
        says busy, not preempted, that one must have sounded just then."""
        if b["class"] != "normal" or why not in ("preempted", "busy"):
            return False
        from_us = row["start_ms"] * 1000
        to_us = from_us + LATE_US
        if why == "preempted":
            to_us += b["content"]["duration_ms"] * 1000
        for other in self.office.bulletins:
            if other["class"] != "priority":
                continue
            long_us = other["content"]["duration_ms"] * 1000
            for r in (r for found in self.table.get(other["title"], ())
                      for r in self.receipts[found["id"], device]):
                if r["start_ms"] is None or (
                        why == "busy" and r["event"] != "started"):
                    continue
                at_us = (r["first_sample_us"] if r["event"] == "started"
                         else r["start_ms"] * 1000)
                if at_us < to_us and from_us < at_us + long_us + 100_000:
                    return True
        return False

    # --- what was heard -----------------------------------------------------------

    def heard(self, by_id):
        codes = collections.defaultdict(list)
        for b in self.office.bulletins:
            if b["content"]["code"] is not None:
                codes[b["content"]["code"]].append(b)
        for device, sounds in self.sounds.items():
            marks, lengths = collections.Counter(), collections.Counter()
            cut = [s["at_us"] for s in sounds if s["code"] is None and
                   s["marked"] and s["body_s"] <= 0.3]
            for s in sounds:
                self.counts["sounds"] += 1
                if s["code"] is not None:
                    self.sound(device, s, codes[s["code"]], marks, lengths)
                elif s["body_s"] > 0.3 and not self.spoken(device, s):
                    self.fault("foreign", "sound", device=device, **_short(s))
            for at_us in cut:
                self.begun(device, at_us, codes, marks)
            for (title, start), n in marks.items():
                if n > 1:
                    self.fault("doubled", "began twice", device=device,
                               title=title, start=start)
        for (bulletin, device), receipts in self.receipts.items():
            self.told(by_id.get(bulletin), device, receipts)

    def begun(self, device, at_us, codes, marks):
        """A marker and nothing behind it is a beginning too: of what was to
        begin last before it."""
        near = [(off, b["title"], start) for bs in codes.values() for b in bs
                if device in self.devices_of(b) for start in _starts(b)
                if -EARLY_US <= (off := at_us - start * 1000) <= LATE_US]
        if near:
            marks[min(near)[1:]] += 1

    def sound(self, device, s, candidates, marks, lengths):
        """Who of those with this code was to begin about now?"""
        slack = LATE_US if s["marked"] else LATE_US + 6_000_000
        near = [(abs(off), start, b) for b in candidates for start in
                _starts(b) if -EARLY_US <= (off := s["at_us"] - start * 1000)
                <= slack]
        if near:
            _, start, b = min(near, key=lambda x: x[:2])
            marks[b["title"], start] += s["marked"]
            lengths[b["title"], start] += s["body_s"]
            self.allowed(device, b, start, s, lengths[b["title"], start])
            return
        for b in candidates:
            if any(abs(s["at_us"] - t * 1000) < 60_000_000 for t in b["starts"]):
                self.fault("late", "sound", device=device, title=b["title"],
                           **_short(s))
                return
        self.fault("foreign", "sound of nothing", device=device, **_short(s))

    def allowed(self, device, b, start, s, body_s):
        tag = {"device": device, "title": b["title"], "start": start}
        if device not in self.devices_of(b):
            self.fault("foreign", "not addressed", **tag)
        if b["content"]["approved"] is None:
            self.fault("foreign", "not approved", **tag)
        if body_s > b["content"]["duration_ms"] / 1000 + 0.1:
            self.fault("doubled", "too long", body_s=body_s, **tag)
        if not s["marked"] and not self.stopped(
                "speaker-" + device, start * 1000 - 300_000, s["at_us"]):
            self.fault("doubled", "began in its middle", **tag)
        row = (self.table.get(b["title"]) or [None])[0]
        if row is None:
            self.fault("foreign", "no such bulletin", **tag)
        for o in b["ops"]:
            gone = o["code"] == 0 and (o["kind"] == "cancel" or (
                o["kind"] == "move" and o["start_ms"] != start))
            if gone and s["at_us"] > o["answered_us"] + 1_000_000:
                self.after_its_end(device, b, o, s, tag)

    def after_its_end(self, device, b, o, s, tag):
        """Cancelled or moved, and heard nevertheless: only a device that did
        not have the new programme may do that, and only in a disturbance."""
        versions = [v for at, area, v in self.accepted[device]
                    if at < s["at_us"] - 100_000 and area in b["areas"]]
        newest = max(versions, default=0)
        sure = self.alone(o) and not any(
            self.troubled(n, o["asked_us"], o["answered_us"] + 1_000_000)
            for n in PATH)
        if newest > o["asked_us" if sure else "answered_us"] // 1000:
            self.fault("foreign", f"after its {o['kind']}, which it knew",
                       **tag)
        elif newest > o["asked_us"] // 1000:
            self.exceptions["cancelled as another change came"] += 1
        elif self.path_troubled(o["asked_us"], s["at_us"]) or self.troubled(
                "speaker-" + device, o["asked_us"] - REACH_US, s["at_us"]):
            self.exceptions["cancelled out of reach"] += 1
        else:
            self.fault("foreign", f"after its {o['kind']}", **tag)

    def spoken(self, device, s):
        """A text has no code; one must be due here now, and not be over. A
        loudspeaker that was stopped is behind with it."""
        for b in self.office.bulletins:
            c = b["content"]
            if c["code"] is not None or not c["approved"] or \
                    device not in self.devices_of(b):
                continue
            for start in _starts(b):
                late_us = s["at_us"] - start * 1000
                most_us = LATE_US + c["duration_ms"] * 1000
                if self.stopped("speaker-" + device, start * 1000 - 300_000,
                                s["at_us"]):
                    most_us += tones.STALL_US
                if -EARLY_US <= late_us <= most_us:
                    return True
        return False

    def told(self, b, device, receipts):
        once = collections.Counter()
        for r in receipts:
            self.counts["receipts"] += 1
            if r["event"] in ("started", "finished"):
                once[r["event"], r["start_ms"]] += 1
            if r["event"] == "started":
                off = r["first_sample_us"] - r["start_ms"] * 1000
                if not -EARLY_US <= off <= LATE_US:
                    self.fault("late", "first sample", device=device,
                               id=r["id"], off_us=off)
            if r["event"] == "finished":
                self.sounded(b, device, r)
        for (event, start), n in once.items():
            if n > 1:
                self.fault("doubled", f"{event} told {n} times", device=device,
                           id=receipts[0]["id"], start=start)

    def sounded(self, b, device, r):
        """Told as finished: the WAV has it, to its end. A loudspeaker that was
        stopped within the marker is heard from the middle, but whole."""
        if b is None or b["content"]["code"] is None:
            return
        first_us, name = r["first_sample_us"], "speaker-" + device
        long_us = b["content"]["duration_ms"] * 1000
        stopped = self.stopped(name, first_us - 300_000, first_us + long_us)
        mine = [s for s in self.sounds[device]
                if s["code"] == b["content"]["code"] and -400_000 <
                s["at_us"] - first_us < long_us + stopped * tones.STALL_US]
        tag = {"device": device, "title": b["title"], "start": r["start_ms"]}
        begun = any(s["at_us"] - first_us < 400_000 for s in mine)
        lacks_s = long_us / 1e6 - tones.MARKER_S - sum(
            s["body_s"] for s in mine)
        if not mine or not (begun or stopped):
            self.fault("lost", "told as finished, not heard", **tag)
        elif lacks_s > (0.4 if stopped else 0.15):
            self.fault("lost", "told as finished, not heard to its end",
                       lacks_s=round(lacks_s, 2), **tag)
        elif begun:
            self.counts["finished and heard"] += 1
        else:
            self.exceptions["speaker was stopped: marker"] += 1

    # --- receipts and retained documents ------------------------------------------

    def numbering(self):
        for r in rows(self.rig, """
                SELECT device, encode(log_id, 'hex') log, max(sequence) last,
                  count(DISTINCT sequence) n, count(*) all_n
                FROM telemetry.receipt GROUP BY 1, 2"""):
            if r["n"] != r["last"]:
                self.fault("lost", "receipts", **r)
            if r["all_n"] != r["n"]:
                self.fault("doubled", "receipts", **r)

    def retained(self):
        missing = settled.unequal_documents(self.rig)
        for text in missing:
            self.fault("lost", "retained " + text)


def _starts(b):
    """Those that were not refused."""
    return {o["start_ms"] for o in b["ops"]
            if o["kind"] != "cancel" and o["code"] != 1}


def logged_us(line):
    """When a line of log was written; 0: it does not say."""
    if not line.startswith("at="):
        return 0
    at = datetime.datetime.fromisoformat(
        line[3:line.index(" ")].replace("Z", "+00:00"))
    return int(at.timestamp() * 1e6)


def _short(s):
    return {"code": s["code"], "at_ms": s["at_us"] // 1000,
            "body_s": round(s["body_s"], 2), "marked": s["marked"]}
