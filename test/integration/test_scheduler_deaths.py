"""loa-scheduler when it, its registry, its broker or its database is away or dies."""
import contextlib
import os
import random
import threading
import time

import pytest
from loa_broker import LIMIT_S, wait_until
from loa_identity import (ROOT_DIR, DELEGATE, SCHEDULE, now_ms,
                          open_envelope, pb, registry, services)
from loa_service import Service
from loa_scheduler import (AREAS, BUSY, COMMUNES, HOUR, MINUTE, NORMAL,
                           NOT_FOUND, OK, ids, pg, world, World)


# --- areas -------------------------------------------------------------------


def test_works_while_the_registry_is_away(pg):
    w = World(pg, registry=False)
    try:
        wait_until(lambda: "areas" in w.service.http("/readyz")[1],
                   "not ready for lack of areas")
        assert w.service.http("/readyz")[0] == 503
        assert w.add("vn/08/070", now_ms() + HOUR).status.code == BUSY
        w.start_registry()
        w.service.stop()
        w.service.start()
        assert w.add("vn/08/070", now_ms() + HOUR).status.code == OK
        w.registry.client.close()
        w.service.stop()
        w.service.start()
        assert w.add("vn/08/071/07101", now_ms() + HOUR).status.code == OK
        assert pg.one("SELECT name FROM scheduler.area WHERE path = "
                      "'vn.08.070'") == 'Xã "vn/08/070"'
    finally:
        w.close()


def test_new_areas_come_with_the_trust_list(world):
    start = now_ms() + HOUR
    assert world.add("vn/08/073/07301", start).status.code == NOT_FOUND
    world.registry.add("vn/08/073", "vn/08/073/07301")
    body = pb.TrustList(number=1, areas_version=2)
    c = world.broker.connect(world.registry_id, client_id="registry-trust")
    c.publish("loa/1/down/trust/vn/08",
              world.registry_id.envelope(pb.TYPE_TRUST, body), retain=True)
    wait_until(lambda: world.add("vn/08/073/07301", start).status.code == OK,
               "the new commune is known")


def test_the_real_registry(pg):
    """Its sample tree comes at start; what is added comes by itself."""
    w = World(pg, area="vn", registry=False)
    admin = w.root.authority("province", "vn").staff(
        "admin", "vn", powers=DELEGATE | SCHEDULE)
    service = Service("registry", w.registry_id, pg, w.broker)

    def bring(name, text):
        mid, _ = asker.send("registry", pb.TYPE_REGISTRY_REQUEST,
                            registry.RegistryRequest(
                                area_import=registry.AreaImport(
                                    import_id=os.urandom(16), parts_n=1,
                                    csv=text.encode())))
        answer = asker.wait(mid, registry.RegistryAnswer)
        assert answer.status.code == OK, (name, answer)

    try:
        asker = w.asker(admin)
        service.start()
        with open(os.path.join(ROOT_DIR, "deploy", "sample-areas.csv"),
                  encoding="utf-8") as f:
            bring("sample", f.read())
        start = now_ms() + HOUR
        wait_until(lambda: w.add("vn/08/070", start).status.code != NOT_FOUND
                   and w.service.ready(), "the sample tree")
        assert w.add("vn/08/070/07099", start).status.code == NOT_FOUND
        bring("one more", "code,parent,tier,name\n"
              "07099,070,commune,Xã Mới\n")
        wait_until(lambda: w.add("vn/08/070/07099",
                                 start + HOUR).status.code == OK,
                   "the new commune")
    finally:
        service.remove()
        w.close()


def check_books(world, answered):
    """Every bulletin that was answered OK is in the table once and in its
    area's programme; nothing else is in a programme."""
    rows = {bytes.fromhex(r[0][2:]): r[1] for r in world.pg.query(
        "SELECT bulletin_id, areas[1] FROM scheduler.bulletin")}
    missing = [b.hex() for b in answered if b not in rows]
    assert not missing, missing
    listed = []
    for area in AREAS[1:]:
        p = world.programme(area)
        listed += ids(p) if p else []
    assert len(listed) == len(set(listed))
    assert sorted(listed) == sorted(rows), (len(listed), len(rows))
    return rows


# --- deaths ------------------------------------------------------------------


def test_killed_while_it_answers(world):
    """kill -9 at random moments; the askers repeat until they are answered."""
    rng, stop, errors, answered = random.Random(7), threading.Event(), [], {}
    base = now_ms() + HOUR

    def staff(n):
        try:
            who = world.asker(world.province.staff(f"staff_{n}", "vn/08",
                                                   powers=SCHEDULE))
            area = COMMUNES[n % len(COMMUNES)]
            for i in range(6):
                bulletin, mid = os.urandom(16), os.urandom(16)
                request = services.ScheduleAdd(
                    areas=[area], bulletin_id=bulletin,
                    start_at_ms=base + (n * 6 + i) * MINUTE,
                    approval=world.approval())
                setattr(request, "class", NORMAL)
                for _ in range(60):
                    try:
                        a = who.scheduler(add=request, message_id=mid,
                                          limit_s=1)
                    except Exception:  # No answer: ask again, the same.
                        continue
                    break
                else:
                    raise AssertionError("never answered")
                assert a.status.code == OK, a
                answered[bulletin] = a
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=staff, args=(n,)) for n in range(10)]
    kills_n = 0
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        stop.wait(rng.uniform(0.05, 0.4))
        world.service.kill()
        kills_n += 1
        world.service.start()
    for t in threads:
        t.join()
    assert not errors, errors[0]
    assert kills_n >= 3 and len(answered) == 60
    assert len(wait_books(world, answered)) == 60


def wait_books(world, answered, limit_s=LIMIT_S):
    end = time.monotonic() + limit_s
    while True:
        try:
            return check_books(world, answered)
        except AssertionError:
            if time.monotonic() > end:
                raise


def test_killed_while_the_database_still_commits(world):
    """What the server commits for a scheduler that is dead already, the next
    one knows."""
    world.pg.query(
        "CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(2); RETURN NEW; END $$; "
        "CREATE TRIGGER slow BEFORE INSERT ON scheduler.bulletin "
        "FOR EACH ROW EXECUTE FUNCTION public.slow()")
    try:
        request = services.ScheduleAdd(
            areas=[COMMUNES[0]], bulletin_id=os.urandom(16),
            start_at_ms=now_ms() + HOUR, approval=world.approval())
        setattr(request, "class", NORMAL)
        sent, _ = world.lan.send("scheduler", pb.TYPE_SCHEDULER_REQUEST,
                                 services.SchedulerRequest(add=request))
        wait_until(lambda: world.pg.one(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = "
            "'PgSleep'") == "1", "the commit is under way")
        world.service.kill()
        world.service.start()
    finally:
        world.pg.query("DROP FUNCTION public.slow() CASCADE")
    a = world.lan.scheduler(add=request, message_id=sent)
    assert a.status.code == OK, a
    a = world.lan.scheduler(find=services.ScheduleFind(
        bulletin_id=request.bulletin_id))
    assert a.status.code == OK and len(a.entries) == 1, a
    a = world.add(COMMUNES[0], now_ms() + 2 * HOUR)
    assert a.status.code == OK, a
    p = world.wait_programme(COMMUNES[0],
                             a.entries[0].programmes[0].version)
    assert request.bulletin_id in ids(p) and len(p.bulletins) == 2


def inserting(world):
    """Batches that wait for the lock of the table of bulletins."""
    return int(world.pg.one(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND usename = 'loa_scheduler' AND query LIKE"
        " '%INTO bulletin VALUES%'"))


@contextlib.contextmanager
def two_batches_under_way(world, ask):
    """ask() sends two requests and says who did; the scheduler decides both on
    what it has in memory, and the batch of the second waits behind the
    first's."""
    with world.pg.holding(
            "LOCK TABLE scheduler.bulletin IN ACCESS EXCLUSIVE MODE"):
        with world.pg.holding(
                "LOCK TABLE scheduler.inbox IN ACCESS EXCLUSIVE MODE"):
            seen = world.service.log().count("event=scheduler.request")
            for asker in ask():
                # It has come when a later one is refused, which needs no table.
                late, _ = asker.send(
                    "scheduler", pb.TYPE_SCHEDULER_REQUEST,
                    services.SchedulerRequest(), ttl_ms=-HOUR)
                assert asker.wait(
                    late, services.SchedulerAnswer).status.code != OK
        wait_until(lambda: inserting(world), "the first batch waits")
        wait_until(lambda: world.service.log().count(
            "event=scheduler.request") == seen + 2, "both are decided")
        yield


def request_of(world, area, start_ms, bulletin):
    request = services.ScheduleAdd(areas=[area], bulletin_id=bulletin,
                                   start_at_ms=start_ms,
                                   approval=world.approval())
    setattr(request, "class", NORMAL)
    return services.SchedulerRequest(add=request)


def test_batch_behind_one_that_failed_is_not_committed(world):
    """A programme made from memory was committed, with a bulletin that no table
    had: on air, and nobody could find or cancel it."""
    start, x, y = now_ms() + HOUR, os.urandom(16), os.urandom(16)

    def ask():
        for i, bulletin in enumerate((x, y)):
            world.lan.send("scheduler", pb.TYPE_SCHEDULER_REQUEST,
                           request_of(world, COMMUNES[0],
                                      start + i * 10 * MINUTE, bulletin))
        return [world.lan]

    with two_batches_under_way(world, ask):
        world.pg.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                       " WHERE usename = 'loa_scheduler'")
        assert world.service.process.wait(LIMIT_S) == 1
    world.service.start()
    assert check_books(world, []) == {}
    assert world.add(COMMUNES[0], start, bulletin_id=x).status.code == OK
    assert world.add(COMMUNES[0], start + 10 * MINUTE,
                     bulletin_id=y).status.code == OK
    assert len(wait_books(world, [x, y])) == 2


def test_cancelled_is_not_said_before_it_is_committed(world):
    """The second to cancel was told "Cancelled." at once; the first one's batch
    died with the back end, and the bulletin stood."""
    b = os.urandom(16)
    hoa = world.asker(world.province.staff("hoa", "vn/08", powers=SCHEDULE))
    assert world.add(COMMUNES[0], now_ms() + HOUR,
                     bulletin_id=b).status.code == OK
    cancel = services.SchedulerRequest(
        cancel=services.ScheduleCancel(bulletin_id=b))
    sent = []

    def ask():
        for asker in world.lan, hoa:
            sent.append(asker.send("scheduler", pb.TYPE_SCHEDULER_REQUEST,
                                   cancel))
        return world.lan, hoa

    with two_batches_under_way(world, ask):
        world.pg.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                       " WHERE usename = 'loa_scheduler'")
        assert world.service.process.wait(LIMIT_S) == 1
    world.service.start()
    p = world.programme(COMMUNES[0])
    assert ids(p) == [b]        # It stands,
    told = [open_envelope(m.payload)[0].message_id
            for m in hoa.client.drain()]
    assert sent[1][0] not in told       # and nobody was told that it does not.
    for asker, (message_id, envelope) in zip((world.lan, hoa), sent):
        asker.client.publish(
            f"loa/1/rpc/scheduler/vn/08/@{asker.who.principal}", envelope)
        answer = asker.wait(message_id, services.SchedulerAnswer)
        assert answer.status.code == OK
    p = world.wait_programme(COMMUNES[0], p.version + 1)
    assert not p.bulletins


def test_broker_that_forgot_everything(world):
    start = now_ms() + HOUR
    for i, area in enumerate(COMMUNES):
        assert world.add(area, start + i * MINUTE).status.code == OK
    before = {a: world.programme(a) for a in COMMUNES}
    world.broker.stop(9)
    assert world.service.process.wait(LIMIT_S) == 1
    assert "event=mqtt" in world.service.log()
    for c in world.broker.clients:
        c.close()
    world.broker.clients.clear()
    world.broker.start()
    world.service.start()
    for a in COMMUNES:
        assert world.wait_programme(a, before[a].version) == before[a]
        wait_until(lambda a=a: world.retained("head", a), "head")
        _, head, _ = world.retained("head", a)
        assert head.programme_version == before[a].version


@pytest.mark.parametrize("more", ["", ", scheduler.area, scheduler.area_sync"])
def test_database_from_an_old_backup(world, more):
    """The broker and the devices hold newer programmes than the tables, also
    of areas that are known only when the registry has answered."""
    answer = world.add("vn/08/070", now_ms() + HOUR)
    version = answer.entries[0].programmes[0].version
    world.wait_programme("vn/08/070", version)
    world.service.stop()
    world.pg.query("TRUNCATE scheduler.bulletin, scheduler.approval,"
                   " scheduler.programme, scheduler.outbox" + more)
    world.service.start()
    p = world.wait_programme("vn/08/070", version + 1)
    assert not p.bulletins


def test_database_is_lost(world):
    world.pg.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                   "WHERE usename = 'loa_scheduler'")
    assert world.service.process.wait(LIMIT_S) == 1
    world.service.start()
    assert world.add("vn/08", now_ms() + HOUR).status.code == OK


def test_fifty_people_at_once(world):
    start = now_ms() + HOUR
    approval = world.approval()
    people = [world.asker(world.province.staff(f"staff_{n}", "vn/08",
                                               powers=SCHEDULE))
              for n in range(50)]
    sent = []
    for i in range(4):
        for n, p in enumerate(people):
            request = services.ScheduleAdd(
                areas=[COMMUNES[n % 9]], bulletin_id=os.urandom(16),
                approval=approval, start_at_ms=start + (i * 50 + n) * MINUTE)
            setattr(request, "class", NORMAL)
            m, _ = p.send("scheduler", pb.TYPE_SCHEDULER_REQUEST,
                          services.SchedulerRequest(add=request))
            sent.append((p, m, request.bulletin_id))
    for p, m, _ in sent:
        assert p.wait(m, services.SchedulerAnswer).status.code == OK
    assert len(wait_books(world, [b for _, _, b in sent])) == 200
