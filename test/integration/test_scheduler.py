"""loa-scheduler on a real broker with the plugin and a real PostgreSQL: requests,
and what comes of them."""
import os
import shutil
import subprocess

import pytest
from loa_broker import wait_until
from loa_identity import (CONTENT_APPROVE, REVOKE, SCHEDULE, blake2b, new_root,
                          now_ms, open_envelope, pb, programme, registry,
                          services)
from loa_scheduler import (AREAS, COMMUNES, CONFLICT, DAY, EXPIRED, HOUR,
                           INVALID, MINUTE, NORMAL, NOT_ALLOWED, NOT_APPROVED,
                           NOT_FOUND, OK, PAST, PRIORITY, REVOKED, ids, pg,
                           World, world)


@pytest.fixture
def country(pg):
    """The scheduler serves the whole tree."""
    w = World(pg, area="vn")
    yield w
    w.close()


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
    # Answers are kept by message id, whether anything was changed or not.
    assert world.pg.one("SELECT count(*) FROM scheduler.inbox") == "2"
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


def test_refused_request_takes_no_effect_when_it_comes_again(world):
    """Refusals were forgotten: whoever owns the broker kept the envelope until
    the reason was gone, and it went on air."""
    start, b, x = now_ms() + HOUR, os.urandom(16), os.urandom(16)
    assert world.add(COMMUNES[0], start, bulletin_id=b).status.code == OK
    request = services.ScheduleAdd(areas=[COMMUNES[0]], bulletin_id=x,
                                   start_at_ms=start,
                                   approval=world.approval())
    setattr(request, "class", NORMAL)
    refused = [(CONFLICT, services.SchedulerRequest(add=request)),
               (NOT_FOUND, services.SchedulerRequest(
                   cancel=services.ScheduleCancel(bulletin_id=x))),
               (NOT_FOUND, services.SchedulerRequest(
                   change=services.ScheduleChange(
                       bulletin_id=x, start_at_ms=start + 2 * HOUR)))]
    sent = []
    for code, body in refused:
        sent.append(world.lan.send("scheduler", pb.TYPE_SCHEDULER_REQUEST,
                                   body))
        answer = world.lan.wait(sent[-1][0], services.SchedulerAnswer)
        assert answer.status.code == code, answer
    answer = world.lan.scheduler(cancel=services.ScheduleCancel(bulletin_id=b))
    assert answer.status.code == OK
    topic = "loa/1/rpc/scheduler/vn/08/@lan"
    world.lan.client.publish(topic, sent[0][1])
    answer = world.lan.wait(sent[0][0], services.SchedulerAnswer)
    assert answer.status.code == CONFLICT, answer
    answer = world.lan.scheduler(add=request)       # Asked for anew: taken.
    assert answer.status.code == OK, answer
    for (code, _), (message_id, envelope) in zip(refused[1:], sent[1:]):
        world.lan.client.publish(topic, envelope)
        answer = world.lan.wait(message_id, services.SchedulerAnswer)
        assert answer.status.code == code, answer
    p = world.wait_programme(COMMUNES[0],
                             answer_version(world, x, COMMUNES[0]))
    assert ids(p) == [x] and p.bulletins[0].starts_at_ms == [start]


def answer_version(world, bulletin, area):
    found = world.lan.scheduler(find=services.ScheduleFind(
        bulletin_id=bulletin)).entries[0]
    return next(v.version for v in found.programmes if v.area == area)


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


def test_a_list_from_above_is_stored_whatever_its_number(world):
    """A stolen registry key revoked minh by a list of the highest number. The
    list from above replaced it in memory, but never in the table: every start
    cancelled what minh had approved before the broker was there."""
    above = world.root.service("registry_0", "registry", "vn", powers=REVOKE)
    for who, area, number, revoked in (
            (world.registry_id, "vn/08", 1 << 62, [world.minh]),
            (above, "vn", 5, [])):
        c = world.broker.connect(who, client_id=f"{who.principal}-trust")
        assert c.publish(f"loa/1/down/trust/{area}", who.trust_list(
            number, revoked=revoked, area=area), retain=True) in (0, 16)
        wait_until(lambda n=number: world.service.metric(
            "loa_trust_list_number") == n, "the list")
    wait_until(lambda: world.pg.one(
        "SELECT number FROM scheduler.trust_list") == "5", "it is stored")
    start = now_ms() + HOUR
    answer = world.add("vn/08/071", start)
    assert answer.status.code == OK
    world.service.stop()
    world.service.start()
    assert world.add("vn/08/072", start).status.code == OK
    found = world.lan.scheduler(find=services.ScheduleFind(
        bulletin_id=answer.entries[0].bulletin_id))
    assert not found.entries[0].cancelled


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


def test_contents_let_go_are_not_kept_for_ever(world):
    """What is let go was written and never deleted; the newest 8,192 are
    read."""
    world.service.stop()
    world.pg.query("INSERT INTO scheduler.released"
                   " SELECT sha256(n::text::bytea), 'vn.08',"
                   " now() - (n || ' min')::interval"
                   " FROM generate_series(1, 8300) AS n")
    world.service.start()
    ingest = world.asker(world.province.service(
        "ingest", "content-ingest", world.area))
    answer = ingest.scheduler(release=services.ContentRelease(
        content_hash=bytes(32)))
    assert answer.status.code == OK, answer
    assert world.pg.query(
        "SELECT count(*), count(*) FILTER (WHERE closed_until > now()),"
        " min(closed_until) > now() - interval '8192 min'"
        " FROM scheduler.released") == [["8192", "1", "t"]]
