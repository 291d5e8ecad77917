"""From a schedule request to its signed answer, committed in between.

    make bench ONLY=requests
    python3 test/bench/requests.py [--runs 3] [--adds 450]

One asker, then fifty at once, in turns. Each request schedules an approved
content in one of nine communes; then each bulletin is cancelled, which is the
second figure. Every asker waits for its answer before it asks again. Two
loudspeakers take the programmes in, as in life.
"""
import argparse
import os
import sys
import time

from figures import (Table, cpu_s, fdatasync_ms, percentile, pid_of,
                     status_kb)
from askers import Crowd, answer
from loa_identity import SCHEDULE, load, pb, services
from province import Province

CROWDS = (1, 50)
FIRST_S = 3600   # The first bulletin is so far away.
STAT_S = 11      # PostgreSQL's counters are at rest after this.
SERVERS = ("scheduler", "mosquitto", "postgres")
SELF = "this client"


def approval(stack):
    """Of a real content, as the scheduler wants it: from the ingest."""
    content = stack.say("Một bản tin để lên lịch.")
    stack.approve(content)
    lan = load(stack.key("lan"))
    with Crowd(stack.port, [lan]) as crowd:
        find = services.ContentFind(
            content_hash=bytes.fromhex(content["content"]))
        crowd.askers[0].todo.append(("content-ingest", lan.envelope(
            pb.TYPE_CONTENT_REQUEST, services.ContentRequest(find=find))))
        found = crowd.ask_all()[0]
    envelope = pb.Envelope.FromString(found.envelope)
    body = pb.Signed.FromString(envelope.signed).body
    answered = services.ContentAnswer.FromString(body)
    return answered.contents[0].approvals[0], content["duration_ms"]


def server_pids(stack, name):
    """A service is one process, PostgreSQL one for each connection."""
    pid = pid_of(stack.processes[name])
    if name != "postgres":
        return [pid]
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [pid] + [int(p) for p in f.read().split()]


class Load:
    def __init__(self, stack, adds):
        self.stack, self.adds_n = stack, adds
        self.communes = stack.communes()
        self.approval, duration_ms = approval(stack)
        self.step_ms = duration_ms + 1000
        authority = load(stack.key("authority"))
        self.people = [authority.staff(f"asker_{i}", "vn", powers=SCHEDULE)
                       for i in range(max(CROWDS))]

    def commits(self):
        """Transactions that wrote something, ever."""
        return int(self.stack.sql("SELECT pg_snapshot_xmax("
                                  "pg_current_snapshot())"))

    def xact_commit(self):
        time.sleep(STAT_S)
        return int(self.stack.sql("SELECT xact_commit FROM pg_stat_database "
                                  "WHERE datname = 'loa'"))

    def plan(self, crowd):
        """Adds that do not overlap, dealt out to the askers."""
        base_ms = int((time.time() + FIRST_S) * 1000)
        ids = []
        for i in range(self.adds_n):
            ids.append(os.urandom(16))
            crowd.askers[i % len(crowd.askers)].scheduler(
                add=services.ScheduleAdd(
                    bulletin_id=ids[-1], approval=self.approval,
                    areas=[self.communes[i % len(self.communes)]],
                    start_at_ms=base_ms
                    + i // len(self.communes) * self.step_ms,
                    **{"class": 1}))
        return ids

    def ask(self, crowd):
        """(seconds each, wall, commits, {server: CPU seconds})"""
        pids = {s: server_pids(self.stack, s) for s in SERVERS}
        pids[SELF] = [os.getpid()]
        cpu = {s: sum(map(cpu_s, p)) for s, p in pids.items()}
        commits, began = self.commits(), time.monotonic()
        asked = crowd.ask_all()
        wall_s = time.monotonic() - began
        commits = self.commits() - commits
        cpu = {s: sum(map(cpu_s, p)) - cpu[s] for s, p in pids.items()}
        refused = [answer(a).status for a in asked if answer(a).status.code]
        if refused or len(asked) != self.adds_n:
            raise RuntimeError(f"{len(refused)} of {len(asked)} refused: "
                               f"{refused[:1]}")
        return ([a.answered_s - a.sent_s for a in asked], wall_s, commits,
                cpu)

    def run(self, crowd_n):
        with Crowd(self.stack.port, self.people[:crowd_n]) as crowd:
            ids = self.plan(crowd)
            added = self.ask(crowd)
            for i, bulletin in enumerate(ids):
                crowd.askers[i % crowd_n].scheduler(
                    cancel=services.ScheduleCancel(bulletin_id=bulletin))
            return added, self.ask(crowd)


def tell(table, what, runs, n):
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        table.add(f"{what}, {name}", "ms",
                  [percentile(r[0], share) * 1000 for r in runs])
    table.add(f"{what}, rate", "/s", [len(r[0]) / r[1] for r in runs])
    table.add(f"{what}, transactions that write", "/request",
              [r[2] / n for r in runs])
    for server in (*SERVERS, SELF):
        table.add(f"{what}, CPU of {server}", "ms/request",
                  [r[3][server] * 1000 / n for r in runs])


def main(runs, adds):
    table = Table("requests")
    found = {n: [] for n in CROWDS}
    with Province() as stack:
        stack.import_areas()
        communes = stack.communes()
        stack.speak_up({"p0": communes[0], "p1": communes[1]})
        load_ = Load(stack, adds)
        first, began = load_.xact_commit(), time.monotonic()
        idle = (load_.xact_commit() - first) / (time.monotonic() - began)
        before, began = load_.xact_commit(), time.monotonic()
        for _ in range(runs):
            for n in CROWDS:
                found[n].append(load_.run(n))
        total = load_.xact_commit() - before
        total -= idle * (time.monotonic() - began)
        disk = fdatasync_ms(stack.var)
        memory = status_kb(pid_of(stack.processes["scheduler"]), "VmRSS")
    for n in CROWDS:
        who = f"{n} at once"
        tell(table, f"schedule add, {who}", [r[0] for r in found[n]], adds)
        tell(table, f"cancel, {who}", [r[1] for r in found[n]], adds)
    table.add("xact_commit of all services less idle", "/request",
              [total / (runs * len(CROWDS) * adds * 2)],
              f"idle {idle:.2f}/s, taken off")
    table.add("this disk, fdatasync of 8 kB", "ms", disk)
    table.add("loa-scheduler, VmRSS after", "MB", [memory / 1024])
    table.finish()


if __name__ == "__main__":
    a = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--runs", type=int, default=3)
    a.add_argument("--adds", type=int, default=450,
                   help="per run; at most 1,100 (128 a programme)")
    args = a.parse_args()
    sys.exit(main(args.runs, args.adds))
