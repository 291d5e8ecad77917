"""loa-scheduler and a clock that is wrong for a while: what it publishes, and
what a loudspeaker whose clock is right makes of it."""
import os
import re
import time

import pytest
from loa_broker import LIMIT_S, Client, wait_until
from loa_identity import (SCHEDULE, content, now_ms, open_envelope, pb,
                          programme, services)
from loa_service import Asker, Postgres, Service, Shift
from speaker_rig import AREA, Rig

OK, BUSY = 0, 9
HOUR, DAY = 3600000, 86400000
DAY_S = 86400


class Door:
    """The rig's broker, which lets everybody in, as Service and Client want
    it."""
    name = "loa"

    def __init__(self, rig):
        self.port, self.clients = rig.port, []

    def log(self):
        return ""

    def connect(self, who, client_id=None):
        c = Client(self, who, client_id)
        self.clients.append(c)
        c.open()
        assert c.code == 0
        return c

    def close(self):
        for c in self.clients:
            c.close()


class World:
    """A scheduler whose machine has a clock of its own; `together`: its
    database has the same one. The broker, staff and a loudspeaker are right."""

    def __init__(self, rig, together):
        self.rig, self.shift = rig, Shift()
        self.pg = Postgres(env=self.shift.env if together else None).start()
        self.pg.query("INSERT INTO scheduler.area SELECT p::ltree, p, p, 1,"
                      " 'epoch', NULL, 1 FROM unnest('{vn,vn.08,vn.08.070,"
                      + AREA.replace("/", ".") + "}'::text[]) AS p;"
                      "INSERT INTO scheduler.area_sync (version) VALUES (1)")
        self.door = Door(rig)
        self.lan_id = rig.province.staff("lan_lich", "vn/08", powers=SCHEDULE)
        self.lan = Asker(self.door.connect(self.lan_id), self.lan_id)
        self.ear = self.door.connect(rig.collector)
        self.service = Service("scheduler", rig.scheduler, self.pg, self.door,
                               "--min-lead", "500ms", "--head-interval",
                               "100ms", env=self.shift.env)
        self.argv_n = len(self.service.argv)

    def close(self):
        self.service.remove()
        self.door.close()
        self.pg.__exit__()
        self.shift.remove()

    def add(self, start_ms, days=0, ttl_ms=60000):
        manifest = content.ContentManifest(
            content_hash=os.urandom(32), title="Bản tin", language="vi",
            stream_key=os.urandom(32), packets_n=5, frames_n=50,
            duration_ms=1000, media=content.MEDIA_AUDIO)
        request = services.ScheduleAdd(
            bulletin_id=os.urandom(16), areas=[AREA], start_at_ms=start_ms,
            approval=self.rig.approver.envelope(
                pb.TYPE_APPROVAL, manifest, area="vn/08", ttl_ms=90 * DAY))
        if days:
            request.recurrence.frequency = services.Recurrence.FREQUENCY_DAILY
            request.recurrence.until_ms = start_ms + days * DAY
        setattr(request, "class", 1)
        self.sent = self.lan.send(
            "scheduler", pb.TYPE_SCHEDULER_REQUEST,
            services.SchedulerRequest(add=request), ttl_ms=ttl_ms)
        return self.lan.wait(self.sent[0], services.SchedulerAnswer)

    def version(self):
        return int(self.pg.one("SELECT coalesce(max(version), 0)"
                               " FROM scheduler.programme"))

    def heads(self, until):
        """Times of the heads that came, up to the first one after `until`."""
        times = []
        while not times or times[-1] <= until:
            m = self.ear.wait_message(f"loa/1/down/head/{AREA}")
            signed, _ = open_envelope(m.payload)
            times.append(programme.Head.FromString(signed.body).time_ms)
        return times


@pytest.fixture(params=["apart", "together"])
def world(request):
    with Rig() as rig:
        w = World(rig, request.param == "together")
        w.together = request.param == "together"
        yield w
        w.close()


def doubts(service):
    return re.findall(r"event=clock\.doubted why=(\S+)", service.log())


def test_clock_that_jumps_plans_nothing_until_it_is_back(world):
    """Its versions were ahead by so much that devices waited as long."""
    world.service.start()
    assert world.add(now_ms() + HOUR).status.code == OK
    version = world.version()
    assert world.ear.subscribe("loa/1/down/head/vn/08/#") == 1
    world.heads(now_ms())
    world.shift.set(3 * DAY_S)
    wait_until(lambda: doubts(world.service), "doubt")
    status, why = world.service.http("/readyz")
    assert status == 503 and "clock" in why
    assert world.service.metric("loa_scheduler_clock_doubted") == 1
    wait_until(lambda: "jumped" in doubts(world.service), "it has jumped")
    assert world.version() == version
    world.shift.set(0)
    wait_until(world.service.ready, "it is believed again")
    # Every head that was signed meanwhile, up to one of now.
    assert max(world.heads(now_ms())) < now_ms() + 60000
    assert world.add(now_ms() + 2 * HOUR).status.code == OK
    assert version < world.version() <= now_ms()


@pytest.mark.parametrize("world", ["together"], indirect=True)
def test_machine_that_slept_over_the_weekend_plans_on(world):
    """Monotonic time stands still while a machine is suspended: the clock
    seemed to have jumped, and nothing was planned until somebody started the
    scheduler again."""
    world.service.start()
    assert world.add(now_ms() + HOUR, days=30).status.code == OK
    version = world.version()
    world.shift.set(3 * DAY_S, asleep=3 * DAY_S)
    wait_until(lambda: world.version() > version + 2 * DAY,
               "programmes of three days later")
    wait_until(world.service.ready, "it is believed")
    assert world.service.metric("loa_scheduler_clock_doubted") == 0


@pytest.mark.parametrize("world", ["apart"], indirect=True)
def test_staff_are_told_that_the_clock_is_in_doubt(world):
    world.shift.set(HOUR // 1000)       # The database knows better.
    world.service.start(wait=False)
    wait_until(lambda: "clock" in world.service.http("/readyz")[1],
               "all but the clock is there")
    assert doubts(world.service) == ["apart"]
    answer = world.add(now_ms() + 3 * HOUR, ttl_ms=5 * HOUR)
    assert answer.status.code == BUSY, answer
    assert "Đồng hồ" in answer.status.text_vi
    assert world.service.http("/readyz")[0] == 503
    assert world.version() == 0
    world.shift.set(0)
    wait_until(world.service.ready, "it is believed")
    # What was refused in doubt stays refused, whoever sends it again.
    world.lan.client.publish("loa/1/rpc/scheduler/vn/08/@lan_lich",
                             world.sent[1])
    again = world.lan.wait(world.sent[0], services.SchedulerAnswer)
    assert again == answer and world.version() == 0
    assert world.add(now_ms() + 3 * HOUR).status.code == OK


def today(shift_s=0):
    """As somebody in Viet Nam writes it who looks at a clock that is ahead."""
    return time.strftime("%Y-%m-%d",
                         time.gmtime(time.time() + shift_s + 7 * 3600))


@pytest.mark.parametrize("world", ["together"], indirect=True)
def test_jump_is_doubted_after_a_restart(world):
    """A lost database was enough: the next process knew nothing of the jump,
    and heads and versions were three days ahead."""
    world.service.start()
    assert world.add(now_ms() + HOUR, days=30).status.code == OK
    assert world.ear.subscribe("loa/1/down/head/vn/08/#") == 1
    world.heads(now_ms())
    version = world.version()
    world.shift.set(3 * DAY_S)
    wait_until(lambda: "jumped" in doubts(world.service), "it has jumped")
    for option in [], ["--clock-right", today()]:   # Not what the clock says.
        doubted_n = len(doubts(world.service))
        world.pg.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE usename = 'loa_scheduler'")
        assert world.service.process.wait(LIMIT_S) == 1
        world.service.argv[world.argv_n:] = option
        world.service.start(wait=False)
        wait_until(lambda: "clock" in world.service.http("/readyz")[1],
                   "all but the clock is there")
        assert doubts(world.service)[doubted_n:] == ["jumped"]
        assert world.version() == version
    heads = [programme.Head.FromString(open_envelope(m.payload)[0].body)
             for m in world.ear.drain() if "/head/" in m.topic]
    assert all(h.time_ms < now_ms() + 60000 for h in heads)
    assert world.service.stop() == 0
    world.service.argv[world.argv_n:] = ["--clock-right", today(3 * DAY_S)]
    world.service.start()       # Somebody knows that it is right.
    wait_until(lambda: world.version() > version + 2 * DAY,
               "programmes of three days later")
    assert world.service.stop() == 0
    del world.service.argv[world.argv_n:]
    world.service.start()       # What was believed then counts now.


@pytest.mark.parametrize("world", ["together"], indirect=True)
def test_machine_that_was_started_anew_forgets_the_jump(world):
    """Its clock ran on while it was off: nothing is known of that time."""
    world.service.start()
    assert world.add(now_ms() + HOUR, days=30).status.code == OK
    version = world.version()
    wait_until(lambda: world.pg.one("SELECT count(*) FROM scheduler.clock")
               == "1", "what is believed is kept")
    assert world.service.stop() == 0
    world.pg.query("UPDATE scheduler.clock SET boot_id = 'an earlier one'")
    world.shift.set(3 * DAY_S)
    world.service.start()
    wait_until(lambda: world.version() > version + 2 * DAY,
               "programmes of three days later")


@pytest.mark.parametrize("world", ["together"], indirect=True)
def test_versions_of_a_clock_that_was_ahead_are_healed(world):
    """The whole machine was wrong when the scheduler started: nobody there
    could tell, and devices refused everything for three days."""
    pole = world.rig.speaker("pole_1", AREA)
    pole.wait_online()
    world.service.start()
    assert world.add(now_ms() + HOUR, days=30).status.code == OK
    first = world.version()
    pole.wait_log(f"event=programme.accepted area={AREA} version={first}")
    assert world.service.stop() == 0
    # The machine is started anew, and its clock is wrong from the beginning.
    world.pg.query("DELETE FROM scheduler.clock")
    world.shift.set(3 * DAY_S)
    world.service.start()
    wait_until(lambda: world.version() > now_ms() + 2 * DAY, "a far version")
    far = world.version()
    pole.wait_log("reason=future")
    assert world.service.stop() == 0
    world.shift.set(0)
    world.service.start()
    wait_until(lambda: world.version() != far, "it is made anew")
    healed = world.version()
    assert first < healed < now_ms() + DAY
    # The heads of those days contradict the loudspeaker's clock until the next
    # list of revocations.
    world.rig.publish_trust(1)
    pole.wait_log("event=trust.accepted number=1")
    assert world.add(now_ms() + 2 * HOUR).status.code == OK
    assert world.version() == healed + 1
    pole.wait_log(f"event=programme.accepted area={AREA} version={healed + 1}")
