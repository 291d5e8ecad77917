"""make soak KILLS=N SEED=S: kill at random, and see whether anything is lost,
doubled, late or foreign.

The seed decides which process is killed, how, at which fail point and after
which pause, and what each member of staff wishes to do. It does not decide
what the programs are doing at that moment: threads, clocks, ids and answers
are the machine's. The same seed is the same list of kills, not the same run.
"""
import argparse
import collections
import os
import sys
import time

import ends
import plan
import prove
from rig import TOP, Killer, Rig, choose_speakers, now_us
import check
import settled
import work

SETTLE_S = 60
POLL_S = 0.1


def open_province(rig, speakers_n):
    rig.import_areas()
    for name in ("hoa", "tam"):
        rig.issue("authority", name, "staff", "vn", "schedule,command")
    rig.issue("authority", "binh", "staff", "vn", "content-approve")
    for name in ("hoa", "tam", "binh"):
        rig.loactl(name, "principal", "add")
    rig.speak_up(choose_speakers(rig, speakers_n))
    communes = sorted(set(rig.speakers.values()))
    return {"commune": communes,
            "district": sorted({c.rsplit("/", 1)[0] for c in communes})}


def until(left, limit_s):
    """Ask left() again and again: None when nothing is left, or what still was
    when the time was up."""
    end = time.monotonic() + limit_s
    while (what := left()) and time.monotonic() < end:
        time.sleep(POLL_S)
    return what or None


def settle(rig, office):
    """Until nothing is under way any more. What is not quiet in time is said."""
    last_ms = max((s for b in office.bulletins for s in b["starts"]), default=0)
    over_s = min(last_ms / 1000 + 5, time.time() + 20)

    def left():
        if time.time() < over_s:
            return "bulletins are to come"
        slow = [s for s in plan.SERVICES if not rig.ready(s)]
        if slow:
            return f"not ready: {slow}"
        try:
            online = rig.online()
            off = set(rig.speakers) - online
            return (off and f"offline: {sorted(off)}" or
                    settled.unacknowledged(rig) or
                    settled.unequal_documents(rig))
        except Exception as e:  # A service that is just starting.
            return str(e)
    return until(left, max(over_s - time.time(), 0) + SETTLE_S)


def farewell(rig, office):
    """After everything, one bulletin for the whole country is heard by all. A
    recording: what is planted in the evidence is planted in this one."""
    e = work.Editor(office, "lan")
    content = None
    for _ in range(5):
        content = content or e.hand_in(office.next(), texts=False)
        if content and e.approve(content):
            break
    at_ms = office.slots.find(["vn"], content["duration_ms"],
                              now_us() // 1000 + 4000)
    b = {"title": "soak farewell", "content": content, "areas": ["vn"],
         "id": None, "starts": [at_ms], "ops": [], "who": "lan",
         "class": "normal"}
    answer, rc = e._op(b, "add", "schedule", "add", content["hash"], "vn",
                       "--at", work.iso(at_ms), "--yes", "--title", b["title"],
                       start_ms=at_ms)
    office.bulletins.append(b)
    if rc != 0:
        return f"the last bulletin was not accepted: {b['ops'][0]['text']}"
    bulletin = {"bulletin": answer["entries"][0]["bulletin"]}

    def left():
        told = rig.who(bulletin, "finished")
        return told != set(rig.speakers) and \
            f"the last bulletin was heard by {sorted(told)} only"
    return until(left, at_ms / 1000 + 20 - time.time())


def hits(rig):
    """{(process, point, action): n}: fail points that acted, by the logs."""
    out = collections.Counter()
    for name, f in rig.logs():
        for line in f:
            if "failpoint.hit" in line:
                word = dict(x.split("=", 1) for x in line.split() if "=" in x)
                kind = "speaker" if name.startswith("speaker-") else name
                out[kind, word["name"], word["action"].strip('"').split("=")[0]] += 1
    for fact in rig.history.of("hit"):
        word = dict(x.split("=", 1) for x in fact["line"].split() if "=" in x)
        out["loactl", word["name"], word["action"].strip('"').split("=")[0]] += 1
    return out


def report(args, rig, office, checked, killer, took_s, unsettled):
    kills = rig.history.of("kill")
    by = collections.Counter(f["kind"] for f in kills)
    how = collections.Counter((f["kind"], f["how"]) for f in kills)
    print(f"seed {args.seed}: {len(kills)} kills in {took_s:.0f} s, "
          f"{took_s / max(1, len(kills)):.2f} s each; not carried out: "
          f"{killer.missed}")
    for kind in plan.KINDS:
        ways = ", ".join(f"{h} {n}" for (k, h), n in sorted(how.items())
                         if k == kind)
        print(f"  {kind:20s} {by[kind]:5d}   {ways}")
    found = hits(rig)
    print(f"fail points that acted: {sum(found.values())}; armed and never "
          f"passed: {killer.unhit}")
    for (kind, name, action), n in sorted(found.items()):
        print(f"  {kind:20s} {name:18s} {action:6s} {n:4d}")
    print("work:", ", ".join(f"{k} {n}" for k, n in
                             sorted(checked.counts.items())))
    print("requests:", ", ".join(f"{k}={c}: {n}" for (k, c), n in
                                 sorted(office.asked.items(), key=str)))
    for why, n in checked.exceptions.most_common():
        print(f"  exception {n:5d}  {why}")
    for text in ends.crashes(rig) + ends.unprovoked(rig):
        checked.fault("lost", text)
    if unsettled:
        checked.fault("lost", f"not settled: {unsettled}")
    if checked.counts["played"] == 0:
        checked.fault("lost", "nothing was played at all")
    for kind, texts in checked.faults.items():
        for text in texts[:40]:
            print(f"  {kind.upper()}: {text}")
    print(f"seed {args.seed}, {len(kills)} kills: " + ", ".join(
        f"{k} {len(v)}" for k, v in checked.faults.items()))
    if not any(checked.faults.values()):
        planted = prove.planted(checked)
        print(f"of {len(planted)} planted faults the checker found "
              f"{sum(found for _, found in planted)}")
        for name, seen in planted:
            if not seen:
                checked.fault("lost", f"the checker is blind to {name}")
                print(f"  BLIND: {name}")
    return any(checked.faults.values()) or len(kills) + killer.missed < \
        args.kills or killer.missed * 10 > args.kills


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--kills", type=int, default=50)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--speakers", type=int, default=8)
    p.add_argument("--plan", action="store_true", help="print it, kill nothing")
    args = p.parse_args()
    speakers = [f"p{i}" for i in range(args.speakers)]
    kills = plan.plan(args.seed, args.kills, speakers, TOP)
    if args.plan:
        for k in kills:
            print(k)
        return 0
    with Rig() as rig:
        areas = open_province(rig, args.speakers)
        office = work.Office(rig, args.seed, areas)
        office.start()
        killer = Killer(rig, kills)
        took_s = killer.run()
        killer.missed += len(rig.ctl_victims)
        rig.ctl_victims.clear()
        office.stop()
        unsettled = settle(rig, office) or farewell(rig, office) or \
            settle(rig, office)
        bad = report(args, rig, office, check.Check(rig, office).all(),
                     killer, took_s, unsettled)
        if bad:
            os.environ["LOA_KEEP"] = "1"
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
