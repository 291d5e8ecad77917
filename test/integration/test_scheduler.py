"""loa-scheduler on a real broker with the plugin and a real PostgreSQL."""
import os
import random
import shutil
import subprocess
import threading
import time

import pytest
from loa_broker import Broker, wait_until
from loa_identity import (ROOT_DIR, CONTENT_APPROVE, DELEGATE, REVOKE, SCHEDULE, TIME,
                          blake2b, content, new_root, now_ms, open_envelope,
                          pb, programme, registry, services)
from loa_service import Asker, Postgres, Registry, Service

DISTRICTS = ["vn/08/070", "vn/08/071", "vn/08/072"]
COMMUNES = [f"{d}/{d[-3:]}{n:02d}" for d in DISTRICTS for n in (1, 2, 3)]
AREAS = ["vn", "vn/08"] + DISTRICTS + COMMUNES
OK, INVALID, NOT_ALLOWED, NOT_FOUND, CONFLICT, EXISTS, PAST = range(7)
NOT_APPROVED, TOO_LARGE, BUSY, FAILED, EXPIRED, REVOKED = range(7, 13)
NORMAL, PRIORITY = 1, 2
MINUTE, HOUR, DAY = 60000, 3600000, 86400000


class World:
    """A province: broker, database, registry, scheduler, staff."""

    def __init__(self, pg, *options, area="vn/08", registry=True):
        pg.query("TRUNCATE scheduler.bulletin, scheduler.approval,"
                 " scheduler.programme, scheduler.outbox, scheduler.inbox,"
                 " scheduler.area, scheduler.area_sync, scheduler.trust_list,"
                 " scheduler.bulletin_past")
        self.pg, self.root = pg, new_root()
        self.province = self.root.authority("province", area)
        self.scheduler_id = self.province.service(
            "scheduler", "scheduler", area, powers=SCHEDULE | TIME)
        self.registry_id = self.province.service(
            "registry", "registry", area, powers=DELEGATE | REVOKE,
            max_depth=1)
        self.minh = self.province.staff("minh", area, powers=CONTENT_APPROVE)
        self.lan_id = self.province.staff("lan", area, powers=SCHEDULE)
        self.area = area
        self.broker = Broker(self.root).start()
        self.registry = None
        if registry:
            self.start_registry()
        self.service = Service("scheduler", self.scheduler_id, pg, self.broker,
                               "--min-lead", "500ms", *options)
        self.service.start(wait=registry)
        self.lan = self.asker(self.lan_id)

    def start_registry(self):
        self.registry = Registry(self.broker, self.registry_id, AREAS, page=5)

    def asker(self, who):
        return Asker(self.broker.connect(who), who)

    def close(self):
        self.service.remove()
        self.broker.__exit__()

    def approval(self, title="Bản tin sáng", duration_ms=10000, area=None,
                 who=None, ttl_ms=30 * DAY):
        manifest = content.ContentManifest(
            content_hash=os.urandom(32), title=title, stream_key=os.urandom(32),
            packets_n=50, frames_n=500, duration_ms=duration_ms, language="vi",
            media=content.MEDIA_AUDIO)
        return (who or self.minh).envelope(pb.TYPE_APPROVAL, manifest,
                                           area=area or self.area, ttl_ms=ttl_ms)

    def add(self, areas, start_ms, asker=None, message_id=None, class_=NORMAL,
            **more):
        if isinstance(areas, str):
            areas = [areas]
        more.setdefault("bulletin_id", os.urandom(16))
        if "approval" not in more:
            more["approval"] = self.approval()
        request = services.ScheduleAdd(areas=areas, start_at_ms=start_ms,
                                       **more)
        setattr(request, "class", class_)
        return (asker or self.lan).scheduler(add=request,
                                             message_id=message_id)

    def retained(self, kind, area):
        """The newest retained document: (Signed, body), or None."""
        c = self.broker.connect(self.province.device(
            "pole_" + os.urandom(4).hex(), area))
        try:
            c.subscribe(f"loa/1/down/{kind}/{area}")
            got = [m for m in c.drain() if m.retain]
        finally:
            c.close()
        if not got:
            return None
        signed, _ = open_envelope(got[-1].payload)
        body = {"programme": programme.Programme, "head": programme.Head}
        return signed, body[kind].FromString(signed.body), got[-1].payload

    def programme(self, area):
        got = self.retained("programme", area)
        return got[1] if got else None

    def wait_programme(self, area, version):
        def have():
            p = self.programme(area)
            return p if p and p.version >= version else None
        return wait_until(have, f"programme {version} of {area}")


@pytest.fixture(scope="module")
def pg():
    with Postgres() as p:
        yield p


@pytest.fixture
def world(pg):
    w = World(pg)
    yield w
    w.close()


@pytest.fixture
def country(pg):
    """The scheduler serves the whole tree."""
    w = World(pg, area="vn")
    yield w
    w.close()


def ids(p):
    return [b.bulletin_id for b in p.bulletins]


def test_add_reaches_programme_and_head(world):
    start = now_ms() + HOUR
    answer = world.add("vn/08/070", start)
    assert answer.status.code == OK, answer
    entry = answer.entries[0]
    assert list(entry.starts_at_ms) == [start]
    assert entry.title == "Bản tin sáng" and entry.duration_ms == 10000
    version = entry.programmes[0].version
    p = world.wait_programme("vn/08/070", version)
    assert p.version == version and ids(p) == [entry.bulletin_id]
    assert list(p.bulletins[0].starts_at_ms) == [start]
    assert len(p.approvals) == 1 and len(p.certificates) == 2
    assert world.programme("vn/08/071") is None

    def head():
        _, body, _ = world.retained("head", "vn/08/070") or (0, None, 0)
        return (body if body and body.programme_version == version
                else None)
    body = wait_until(head, "head")
    _, _, payload = world.retained("programme", "vn/08/070")
    assert body.programme_hash == blake2b(payload)
    assert abs(body.time_ms - now_ms()) < 2000


def test_answers_are_repeated(world):
    start, mid = now_ms() + HOUR, os.urandom(16)
    request = dict(areas=["vn/08/070"], start_at_ms=start,
                   bulletin_id=os.urandom(16), approval=world.approval())
    first = world.add(message_id=mid, **add_args(request))
    again = world.add(message_id=mid, **add_args(request))
    assert first == again and first.status.code == OK
    other_id = world.add(**add_args(request))
    assert other_id.entries[0].bulletin_id == request["bulletin_id"]
    assert world.pg.one("SELECT count(*) FROM scheduler.bulletin") == "1"
    assert world.pg.one("SELECT count(*) FROM scheduler.inbox") == "1"
    assert world.service.metric("loa_rpc_repeated_total") == 1


def add_args(request):
    r = dict(request)
    return {"areas": r.pop("areas"), "start_ms": r.pop("start_at_ms"), **r}


def test_refusals_over_the_wire(world):
    start = now_ms() + HOUR
    district = world.asker(world.province.staff("hoa", "vn/08/070",
                                                powers=SCHEDULE))
    weak = world.asker(world.province.staff("weak", "vn/08"))
    assert world.add("vn/08/070", start).status.code == OK
    cases = [
        ("past", PAST, dict(areas="vn/08/071", start_ms=now_ms() - 1)),
        ("far", INVALID, dict(areas="vn/08/071", start_ms=start + 400 * DAY)),
        ("unknown area", NOT_FOUND, dict(areas="vn/08/999", start_ms=start)),
        ("malformed area", INVALID, dict(areas="vn//08", start_ms=start)),
        ("no area", INVALID, dict(areas=[], start_ms=start)),
        ("65 areas", INVALID, dict(areas=["vn/08/071"] * 65, start_ms=start)),
        ("another district", NOT_ALLOWED,
         dict(areas="vn/08/071", start_ms=start, asker=district)),
        ("no power", NOT_ALLOWED,
         dict(areas="vn/08/071", start_ms=start, asker=weak)),
        ("overlap", CONFLICT, dict(areas="vn/08/070/07001",
                                   start_ms=start + 5000)),
        ("not approved", NOT_APPROVED,
         dict(areas="vn/08/071", start_ms=start, approval=b"")),
        ("approved elsewhere", NOT_APPROVED,
         dict(areas="vn/08/071", start_ms=start,
              approval=world.approval(area="vn/08/070"))),
        ("approved by a stranger", NOT_APPROVED,
         dict(areas="vn/08/071", start_ms=start, approval=world.approval(
             who=new_root().authority("p", "vn/08").staff(
                 "minh", "vn/08", powers=CONTENT_APPROVE)))),
        ("approved by who schedules", NOT_ALLOWED,
         dict(areas="vn/08/071", start_ms=start, approval=world.approval(
             who=world.province.staff("lan", "vn/08",
                                      powers=CONTENT_APPROVE)))),
        ("approval expires", EXPIRED,
         dict(areas="vn/08/071", start_ms=start,
              approval=world.approval(ttl_ms=HOUR))),
        ("no title", INVALID, dict(areas="vn/08/071", start_ms=start,
                                   title="hai\ndòng")),
        ("class", INVALID, dict(areas="vn/08/071", start_ms=start, class_=0)),
    ]
    for name, code, args in cases:
        answer = world.add(**args)
        assert answer.status.code == code, (name, answer)
        assert answer.status.text_vi and answer.status.text_en, name
    answer = world.add("vn/08", start)
    # The nearest free full second, before or behind.
    assert answer.proposed_start_at_ms % 1000 == 0
    assert 10000 <= abs(answer.proposed_start_at_ms - start) < 11000
    assert len(answer.conflicts) == 1
    assert world.add("vn/08",
                     answer.proposed_start_at_ms).status.code == OK
    assert world.pg.one("SELECT count(*) FROM scheduler.bulletin") == "2"
    assert world.service.metric(
        'loa_scheduler_requests_total{kind="add",code="conflict"}') == 2


def test_garbage_is_answered(world):
    m, _ = world.lan.send("scheduler", pb.TYPE_SCHEDULER_REQUEST, b"\xff\xff")
    answer = world.lan.wait(m, services.SchedulerAnswer)
    assert answer.status.code == INVALID
    assert world.lan.scheduler().status.code == INVALID


def test_four_tiers(country):
    w, start = country, now_ms() + HOUR
    at = {}
    for i, area in enumerate(["vn", "vn/08", "vn/08/071", "vn/08/071/07102"]):
        answer = w.add(area, start + i * MINUTE)
        assert answer.status.code == OK
        at[area] = answer.entries[0].bulletin_id
        w.wait_programme(area, answer.entries[0].programmes[0].version)
    several = w.add(["vn/08/070/07001", "vn/08/072"], start + 10 * MINUTE,
                    class_=PRIORITY)
    assert several.status.code == OK
    for e in several.entries[0].programmes:
        w.wait_programme(e.area, e.version)
    for commune in COMMUNES:
        heard = set()
        for area in AREAS:
            if (commune + "/").startswith(area + "/"):
                heard.update(ids(w.programme(area) or programme.Programme()))
        want = {at[a] for a in at if (commune + "/").startswith(a + "/")}
        if commune == "vn/08/070/07001" or commune.startswith("vn/08/072"):
            want.add(several.entries[0].bulletin_id)
        assert heard == want, commune


def test_move_replace_cancel(world):
    start = now_ms() + HOUR
    answer = world.add("vn/08/070", start, title="Một")
    bulletin = answer.entries[0].bulletin_id
    moved = world.lan.scheduler(change=services.ScheduleChange(
        bulletin_id=bulletin, start_at_ms=start + HOUR))
    assert moved.status.code == OK
    v = moved.entries[0].programmes[0].version
    assert v > answer.entries[0].programmes[0].version
    p = world.wait_programme("vn/08/070", v)
    assert list(p.bulletins[0].starts_at_ms) == [start + HOUR]
    replaced = world.lan.scheduler(change=services.ScheduleChange(
        bulletin_id=bulletin, approval=world.approval(duration_ms=20000)))
    p = world.wait_programme("vn/08/070",
                             replaced.entries[0].programmes[0].version)
    assert p.bulletins[0].duration_ms == 20000
    assert p.bulletins[0].title == "Một" and len(p.approvals) == 1
    gone = world.lan.scheduler(cancel=services.ScheduleCancel(
        bulletin_id=bulletin))
    assert gone.status.code == OK and gone.entries[0].cancelled
    p = wait_until(lambda: (lambda x: x if not x.bulletins else None)(
        world.programme("vn/08/070")), "an empty programme")
    assert p.version > replaced.entries[0].programmes[0].version
    again = world.lan.scheduler(cancel=services.ScheduleCancel(
        bulletin_id=bulletin))
    assert again.status.code == OK
    found = world.lan.scheduler(find=services.ScheduleFind(
        bulletin_id=bulletin))
    assert found.entries[0].cancelled


def test_dry_run_writes_nothing(world):
    answer = world.add("vn/08", now_ms() + HOUR, dry_run=True)
    assert answer.status.code == OK and answer.entries[0].starts_at_ms
    assert world.pg.one("SELECT count(*) FROM scheduler.bulletin") == "0"
    assert world.pg.one("SELECT count(*) FROM scheduler.approval") == "0"
    assert world.programme("vn/08") is None


def test_find_across_districts(world):
    start = now_ms() + HOUR
    hoa = world.asker(world.province.staff("hoa", "vn/08/070",
                                           powers=SCHEDULE))
    wanted = [world.add("vn/08", start).entries[0].bulletin_id,
              world.add("vn/08/070/07001",
                        start + MINUTE).entries[0].bulletin_id]
    world.add("vn/08/071", start + 2 * MINUTE)
    seen = hoa.scheduler(find=services.ScheduleFind())
    assert [e.bulletin_id for e in seen.entries] == wanted
    every = world.lan.scheduler(find=services.ScheduleFind(limit=2))
    assert len(every.entries) == 2 and every.next
    rest = world.lan.scheduler(find=services.ScheduleFind(after=every.next))
    assert len(rest.entries) == 1 and not rest.next


def test_revoked_approver_leaves_the_air(world):
    start = now_ms() + HOUR
    answer = world.add(["vn/08/070", "vn/08/071"], start)
    hoa = world.province.staff("hoa", "vn/08", powers=CONTENT_APPROVE)
    other = world.add("vn/08/072", start, approval=world.approval(who=hoa))
    assert other.status.code == OK
    c = world.broker.connect(world.registry_id, client_id="registry-trust")
    assert c.publish("loa/1/down/trust/vn/08", world.registry_id.trust_list(
        1, revoked=[world.minh]), retain=True) in (0, 16)
    for area in ("vn/08/070", "vn/08/071"):
        wait_until(lambda a=area: not world.programme(a).bulletins,
                   "programme without it")
    assert len(world.programme("vn/08/072").bulletins) == 1
    found = world.lan.scheduler(find=services.ScheduleFind(
        bulletin_id=answer.entries[0].bulletin_id))
    assert found.entries[0].cancelled
    assert "event=bulletin.cancelled" in world.service.log()
    assert world.add("vn/08/071", start + HOUR).status.code == REVOKED
    assert world.pg.one("SELECT cancelled_why FROM scheduler.bulletin "
                        "WHERE cancelled_at IS NOT NULL") == "approver-revoked"

    def head():
        _, body, _ = world.retained("head", "vn/08")
        return body.revocation_number == 1
    world.service.stop()
    world.service.start()
    wait_until(head, "a head with the revocation number")


def test_time_for_a_device(world):
    pole = world.province.device("pole_1", "vn/08/070/07001")
    c = world.broker.connect(pole)
    topic = "loa/1/down/head/vn/08/070/07001/@pole_1"
    assert c.subscribe(topic) == 1
    answer = world.add("vn/08/070/07001", now_ms() + HOUR)
    version = answer.entries[0].programmes[0].version
    nonce = os.urandom(16)
    ask = registry.TimeRequest(nonce=nonce).SerializeToString()
    assert len(ask) == 18
    for _ in range(5):
        c.publish("loa/1/rpc/scheduler/vn/08/070/07001/@pole_1", ask)
    m = c.wait_message(topic)
    signed, _ = open_envelope(m.payload)
    body = programme.Head.FromString(signed.body)
    assert body.nonce == nonce and abs(body.time_ms - now_ms()) < 2000
    assert body.programme_version == version
    assert signed.expires_at_ms - signed.issued_at_ms == 15 * MINUTE
    assert not [x for x in c.drain() if x.topic == topic]
    assert world.service.metric(
        'loa_scheduler_time_requests_total{outcome="dropped"}') == 4


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
                   and w.service.ready(), "the sample tree", 30)
        assert w.add("vn/08/070/07099", start).status.code == NOT_FOUND
        bring("one more", "code,parent,tier,name\n"
              "07099,070,commune,Xã Mới\n")
        wait_until(lambda: w.add("vn/08/070/07099",
                                 start + HOUR).status.code == OK,
                   "the new commune")
    finally:
        service.remove()
        w.close()


# --- deaths ------------------------------------------------------------------


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


def wait_books(world, answered, limit_s=10):
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


def test_broker_that_forgot_everything(world):
    start = now_ms() + HOUR
    for i, area in enumerate(COMMUNES):
        assert world.add(area, start + i * MINUTE).status.code == OK
    before = {a: world.programme(a) for a in COMMUNES}
    world.broker.stop(9)
    assert world.service.process.wait(10) == 1
    assert "event=mqtt" in world.service.log()
    for c in world.broker.clients:
        c.close()
    world.broker.clients.clear()
    world.broker.start()
    world.service.start()
    for a in COMMUNES:
        assert world.wait_programme(a, before[a].version) == before[a]
        wait_until(lambda a=a: world.retained("head", a), "head", 10)
        _, head, _ = world.retained("head", a)
        assert head.programme_version == before[a].version


def test_database_from_an_old_backup(world):
    """The broker and the devices hold newer programmes than the tables."""
    answer = world.add("vn/08/070", now_ms() + HOUR)
    version = answer.entries[0].programmes[0].version
    world.wait_programme("vn/08/070", version)
    world.service.stop()
    world.pg.query("TRUNCATE scheduler.bulletin, scheduler.approval,"
                   " scheduler.programme, scheduler.outbox")
    world.service.start()
    p = world.wait_programme("vn/08/070", version + 1)
    assert not p.bulletins


def test_database_is_lost(world):
    world.pg.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                   "WHERE usename = 'loa_scheduler'")
    assert world.service.process.wait(10) == 1
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


# --- operators ---------------------------------------------------------------


def test_metrics_and_stop(world):
    world.add("vn/08/070", now_ms() + HOUR)
    status, text = world.service.http("/metrics")
    assert status == 200
    assert 'loa_scheduler_requests_total{kind="add",code="ok"} 1' in text
    assert "loa_scheduler_programmes 1" in text
    assert "loa_scheduler_bulletins 1" in text
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                       check=True)
    assert world.service.stop() == 0


def test_tables_are_explained(pg):
    missing = pg.query(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid ="
        " relnamespace WHERE nspname = 'scheduler' AND relkind = 'r' AND"
        " obj_description(c.oid) IS NULL")
    assert missing == []
