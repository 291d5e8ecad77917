"""Does the checker see what it is for? Faults are planted in the evidence of a
run that had none; each must be found, as what it is."""
import collections
import copy

import settled


def _fresh(good):
    c = copy.copy(good)
    c.faults = {k: [] for k in good.faults}
    c.counts, c.exceptions = collections.Counter(), collections.Counter()
    for part in ("table", "receipts", "sounds"):
        setattr(c, part, copy.deepcopy(getattr(good, part)))
    return c


class Plants:
    def __init__(self, good):
        self.good = good
        self.b, self.row, self.device = self._one_that_played()

    def _one_that_played(self):
        """The last, which is the farewell: a recording, and nothing was killed
        any more, so nothing excuses it."""
        for b in reversed(self.good.office.bulletins):
            for row in self.good.table.get(b["title"], ()):
                for d in self.good.devices_of(b):
                    if b["content"]["code"] is not None and any(
                            r["event"] == "finished" for r in
                            self.good.receipts[row["id"], d]):
                        return b, row, d
        raise AssertionError("nothing played")

    def _sound(self, c):
        return next(s for s in c.sounds[self.device]
                    if s["code"] == self.b["content"]["code"] and
                    abs(s["at_us"] - self.row["start_ms"] * 1000) < 2_500_000)

    def _receipt(self, c, event):
        return next(r for r in c.receipts[self.row["id"], self.device]
                    if r["event"] == event)

    def lost_bulletin(self, c):
        del c.table[self.b["title"]]

    def doubled_bulletin(self, c):
        c.table[self.b["title"]] *= 2

    def lost_start(self, c):
        c.table[self.b["title"]][0]["start_ms"] += 1000

    def lost_cancellation(self, c):
        c.table[self.b["title"]][0]["cancelled"] = True

    def lost_sound(self, c):
        c.sounds[self.device].remove(self._sound(c))

    def lost_receipts(self, c):
        c.receipts[self.row["id"], self.device] = []

    def lost_end(self, c):
        self._sound(c)["body_s"] /= 2

    def doubled_sound(self, c):
        s = self._sound(c)
        c.sounds[self.device].append(dict(s, at_us=s["at_us"] + 1_500_000))

    def doubled_receipt(self, c):
        c.receipts[self.row["id"], self.device].append(
            self._receipt(c, "finished"))

    def doubled_length(self, c):
        self._sound(c)["body_s"] *= 2

    def late_sound(self, c):
        self._sound(c)["at_us"] += 4_000_000

    def late_receipt(self, c):
        self._receipt(c, "started")["first_sample_us"] += 4_000_000

    def foreign_sound(self, c):
        self._sound(c)["at_us"] -= 3_600_000_000

    def foreign_code(self, c):
        c.sounds[self.device].append(dict(self._sound(c), code=(0, 0)))

    def foreign_place(self, c):
        self.b = dict(self.b, areas=["vn/none"])
        c.office = copy.copy(c.office)
        c.office.bulletins = [self.b if b["title"] == self.b["title"] else b
                              for b in c.office.bulletins]

    def foreign_approval(self, c):
        self.b = dict(self.b, content=dict(self.b["content"], approved=None))
        c.office = copy.copy(c.office)
        c.office.bulletins = [self.b if b["title"] == self.b["title"] else b
                              for b in c.office.bulletins]


def planted(good):
    """[(name of the plant, found?)]."""
    out = []
    names = [n for n in dir(Plants) if not n.startswith("_")]
    for name in names:
        c = _fresh(good)
        getattr(Plants(good), name)(c)
        c.all()
        out.append((name, bool(c.faults[name.split("_")[0]])))
    return out + _in_the_tables(good)


def _in_the_tables(good):
    """The last two spoil the real tables: nothing comes after them."""
    rig = good.rig
    rig.sql("DELETE FROM telemetry.receipt WHERE (device, sequence) IN (SELECT "
            "device, 2 FROM telemetry.receipt GROUP BY 1)")
    c = _fresh(good)
    c.numbering()
    rig.sql("UPDATE scheduler.outbox SET body = body || '\\x00'::bytea WHERE "
            "length(body) > 0")
    return [("receipt row gone", bool(c.faults["lost"])),
            ("document differs", bool(settled.unequal_documents(rig)))]
