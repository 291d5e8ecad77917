"""Approvals, lists, programmes, pushes, repairs, export: who gets what, once."""
import os
import subprocess
import time

from content_fixtures import (all_pushed, pg, push_mark, say,  # noqa: F401
                              wav, world)
from loa_broker import wait_until
from loa_content import (CONFLICT, DAY, DONE, EXPIRED, INVALID, NOT_ALLOWED,
                         NOT_FOUND, OK, REVOKED, TEXT, content_hash_of,
                         device_want)
from loa_identity import (ALL, CONTENT_APPROVE, SCHEDULE, content, new_root,
                          now_ms, pb, services)
from loa_sound import correlation, pcm, wav_write


# --- approvals ---------------------------------------------------------------


def test_approvals(world):
    hash_, _ = say(world)
    envelope = world.approval(hash_)
    for _ in range(3):      # The same approval again changes nothing.
        a = world.minh.ask(approve=services.ContentApprove(approval=envelope))
        assert a.status.code == OK
        assert list(a.contents[0].approvals) == [envelope]
    second = world.province.staff("hien", "vn/08/070", powers=CONTENT_APPROVE)
    a = world.approve(hash_, who=second, area="vn/08/070")
    assert a.status.code == OK and len(a.contents[0].approvals) == 2
    # Whoever sees the content sees them, and each can be verified alone.
    c = world.lan.find(hash_).contents[0]
    assert len(c.approvals) == 2 and envelope in c.approvals
    for stored in c.approvals:
        assert pb.Envelope.FromString(stored).certificates


def test_approvals_refused(world):
    hash_, m = say(world)
    stranger = new_root().authority("x", "vn").staff("x", "vn", powers=ALL)
    no_power = world.province.staff("khoa", "vn/08", powers=SCHEDULE)
    narrow = world.province.staff("hep", "vn/08/070", powers=CONTENT_APPROVE)
    expired = world.province.staff("cu", "vn/08", powers=CONTENT_APPROVE,
                                   not_after_ms=now_ms() - 1000)
    other = content.ContentManifest.FromString(m.SerializeToString())
    other.title = "Khác"
    unknown = content.ContentManifest.FromString(m.SerializeToString())
    unknown.content_hash = os.urandom(32)
    good = world.approval(hash_)
    for name, envelope, code in (
            ("no power", world.approval(hash_, who=no_power), NOT_ALLOWED),
            ("outside", world.approval(hash_, who=narrow, area="vn/08"),
             NOT_ALLOWED),
            ("stranger", world.approval(hash_, who=stranger, area="vn"),
             NOT_ALLOWED),
            ("expired certificate", world.approval(hash_, who=expired),
             EXPIRED),
            ("expired", world.approval(hash_, ttl_ms=1,
                                       issued_at_ms=now_ms() - 10000), EXPIRED),
            ("other title", world.approval(hash_, manifest=other), CONFLICT),
            ("unknown", world.approval(hash_, manifest=unknown), NOT_FOUND),
            ("no manifest", world.approval(hash_, manifest=b"\xff"), INVALID),
            ("a bit flipped", good[:-1] + bytes([good[-1] ^ 1]), None),
            ("cut", good[:-5], INVALID),
            ("noise", os.urandom(200), INVALID),
            ("padded", good + b"\x7a\xff\x7f" + bytes(16383), INVALID),
            ("other type", world.minh_id.envelope(
                pb.TYPE_RECEIPTS, m.SerializeToString()), INVALID)):
        a = world.minh.ask(approve=services.ContentApprove(approval=envelope))
        assert a.status.code == code or (code is None and a.status.code), (
            name, a)
        assert a.status.text_vi and a.status.text_en, name
    assert not world.content(hash_)[0].approvals


def test_revoked_approver(world):
    hash_, _ = say(world)
    registry = world.broker.connect(world.registry_id)
    assert registry.publish("loa/1/down/trust/vn/08", world.registry_id.trust_list(
        1, revoked=[world.minh_id]), retain=True) in (0, 0x10)
    asker = world.sender(world.province.staff("hoa", "vn/08"))
    envelope = world.minh_id.envelope(
        pb.TYPE_APPROVAL, asker.find(hash_).contents[0].manifest,
        area="vn/08")

    def refused():
        a = asker.ask(approve=services.ContentApprove(approval=envelope))
        return a.status.code == REVOKED
    wait_until(refused, "revocation counts")


def test_revoked_approvals_are_shown_and_take_the_place_of_others(world):
    """What a revoked approver had signed was still handed out: lists said
    "approved", a schedule was asked for on the strength of it and refused
    though another approval was there. Eight of them kept everybody from
    approving the content again."""
    hash_, _ = say(world)
    hien = world.province.staff("hien", "vn/08", powers=CONTENT_APPROVE)
    hoa = world.sender(world.province.staff("hoa", "vn/08"))
    for n in range(8):
        assert world.approve(hash_).status.code == OK
    assert len(hoa.find(hash_).contents[0].approvals) == 8
    assert world.approve(hash_, asker=hoa, who=hien).status.code == CONFLICT
    registry = world.broker.connect(world.registry_id)
    assert registry.publish("loa/1/down/trust/vn/08", world.registry_id.trust_list(
        1, revoked=[world.minh_id]), retain=True) in (0, 0x10)
    wait_until(lambda: not hoa.find(hash_).contents[0].approvals,
               "the revoked approver's are not shown")
    assert hoa.find(hash_).contents[0].revoked_approvers == ["minh"]
    envelope = world.approval(hash_, who=hien,
                              manifest=hoa.find(hash_).contents[0].manifest)
    a = hoa.ask(approve=services.ContentApprove(approval=envelope))
    assert a.status.code == OK, a
    assert list(a.contents[0].approvals) == [envelope]


# --- lists -------------------------------------------------------------------


def test_lists(world):
    made = [say(world, f"Bài số {n}.", title=f"Bài {n}")[0] for n in range(7)]
    seen, after = [], ""
    while True:
        a = world.lan.find(limit=3, after=after)
        assert a.status.code == OK and len(a.contents) <= 3
        seen += [c.content_hash for c in a.contents]
        after = a.next
        if not after:
            break
    assert seen == made[::-1]       # Newest first, each once.
    far = world.sender(world.province.staff("far", "vn/08/071"))
    assert not far.find().contents
    assert far.find(made[0]).status.code == NOT_FOUND
    # Approved for the province, the district beside may use it too.
    world.approve(made[0], area="vn/08")
    a = far.find()
    assert [c.content_hash for c in a.contents] == [made[0]]
    world.approve(made[1], area="vn/08/070")
    assert len(far.find().contents) == 1
    assert len(world.minh.find(under="vn/08/070").contents) == 7
    assert world.lan.find(under="vn/08").status.code == NOT_ALLOWED
    assert world.lan.find(after="x").status.code == INVALID


def test_long_lists_are_cut_to_what_fits(world):
    for n in range(12):
        hash_, _ = say(world, f"Dài {n}.")
        for k in range(6):
            who = world.province.staff(f"nguoi_{n}_{k}", "vn/08",
                                       powers=CONTENT_APPROVE,
                                       name="Ngườ" * 15)
            assert world.approve(hash_, who=who).status.code == OK
    seen, after, answers = [], "", 0
    while True:
        a = world.minh.find(limit=50, after=after)
        assert all(len(c.approvals) == 6 for c in a.contents)
        seen += [c.content_hash for c in a.contents]
        after, answers = a.next, answers + 1
        if not after:
            break
    assert len(seen) == len(set(seen)) == 12 and answers > 1


def test_same_sound_from_two_areas(world):
    """One content, two areas that handed it in; each sees it as its own, and
    one's deletion is not the other's."""
    hash_, _ = say(world, "Chung một bài.", title="Của 070")
    far = world.sender(world.province.staff("far", "vn/08/071"))
    hash2, _ = say(world, "Chung một bài.", title="Của 071", asker=far)
    assert hash2 == hash_
    assert world.pg.one("SELECT count(*) FROM content.content") == "1"
    assert world.lan.find().contents[0].area == "vn/08/070"
    assert far.find().contents[0].area == "vn/08/071"
    wait_until(lambda: world.pg.one("SELECT count(*) FROM content.trash")
               == "0", "the second's packets are gone")
    world.let_go()
    assert far.ask(delete=services.ContentDelete(content_hash=hash_)
                   ).status.code == OK
    assert not far.find().contents
    assert not world.lan.find().contents[0].deleting


# --- programmes and pushes -----------------------------------------------------


def test_above_covers_below(world):
    """Province and district need the same sound: one publish, to the
    province."""
    hash_, m = say(world)
    poles = [world.pole("vn/08/070/07001"), world.pole("vn/08/071/07101")]
    item = [(hash_, now_ms() + 60000, m.duration_ms)]
    world.programme("vn/08", item)
    world.programme("vn/08/070", item)
    for p in poles:
        p.wait_packets(m.stream_key, m.packets_n)
    all_pushed(world)
    push_mark(world, "vn/08", poles[0])
    for p in poles:
        assert p.topics == {"loa/1/down/content/vn/08"}
        assert all(len(t) == 1 for t in p.times.values())
    assert world.pg.one("SELECT count(*) FROM content.need WHERE pushed_at IS "
                        "NULL") == "0"


def test_content_that_comes_after_its_programme(world):
    """The same text makes the same sound: a programme may know its hash before
    this tier has it."""
    hash_, m = say(world, "Đến sau.")
    world.pg.query("TRUNCATE content.content, content.packet CASCADE")
    pole = world.pole("vn/08/070/07001")
    world.programme("vn/08/070", [(hash_, now_ms() + 60000, m.duration_ms)])
    wait_until(lambda: world.service.metric("loa_content_needs") == 1, "taken")
    u = world.lan.upload("Đến sau.", media=TEXT)
    assert u.content_hash == hash_
    m = world.content(hash_)[1]
    pole.wait_packets(m.stream_key, m.packets_n)


def test_programmes_that_are_not_believed(world):
    hash_, m = say(world)
    item = [(hash_, now_ms() + 60000, m.duration_ms)]
    pole = world.pole("vn/08/070/07001")
    stranger = new_root().authority("x", "vn").service("x", "scheduler", "vn",
                                                       powers=ALL)
    weak = world.province.service("s2", "scheduler", "vn/08")
    for name, envelope in (
            ("stranger", world.programme("vn/08/070", item, who=stranger,
                                         publish=False)),
            ("no power", world.programme("vn/08/070", item, who=weak,
                                         publish=False)),
            ("expired", world.programme("vn/08/070", item, ttl_ms=-5,
                                        publish=False)),
            ("another area's", world.programme("vn/08/071", item,
                                               publish=False)),
            ("noise", os.urandom(100)), ("cleared", b"")):
        before = world.service.metric("loa_content_programmes_refused_total")
        world.scheduler.publish("loa/1/down/programme/vn/08/070", envelope,
                                retain=True)
        if envelope:
            wait_until(lambda b=before: world.service.metric(
                "loa_content_programmes_refused_total") == b + 1, name)
    assert pole.count(m.stream_key) == 0
    assert world.service.metric("loa_content_needs") == 0
    # An older version does not come back.
    world.programme("vn/08/070", [], version=1000)
    world.programme("vn/08/070", item, version=999)
    world.programme("vn/08/070", [], version=1001)
    wait_until(lambda: world.pg.query("SELECT version FROM content.programme")
               == [["1001"]], "version")
    assert world.service.metric("loa_content_needs") == 0


def test_more_areas_than_a_broker_queues(world):
    """1,500 programmes change while the service is away; the broker keeps no
    more than 1,000 messages for a new subscription."""
    areas = [f"vn/08/{n // 50:03d}/{n:05d}" for n in range(1500)]
    hashes = [os.urandom(32), os.urandom(32)]

    def publish(version):
        for n, area in enumerate(areas):
            world.scheduler.mqtt.publish(
                f"loa/1/down/programme/{area}", world.programme(
                    area, [(hashes[version - 1], now_ms() + DAY, 1000)],
                    version=version, publish=False), 1, True)
            if n % 200 == 0:
                time.sleep(0.1)
    publish(1)

    def all_are(version):
        return world.pg.one("SELECT count(*) FROM content.programme WHERE "
                            f"version = {version}") == str(len(areas))
    wait_until(lambda: all_are(1), "all came")
    world.service.kill()
    publish(2)
    world.scheduler.drain()
    world.service.start()
    wait_until(lambda: all_are(2), "all newer ones came")


def test_soonest_first(world):
    """Two long pushes at once: the one that is on air sooner ends first, though
    it came later."""
    text = "Một hai ba bốn năm sáu bảy tám chín mười. " * 20
    late, m_late = say(world, text + "Muộn.")
    soon, m_soon = say(world, text + "Sớm.")
    pole = world.pole("vn/08/070/07001")
    now = now_ms()
    world.programme("vn/08/070", [(late, now + 3600000, 9), (soon, now + 60000,
                                                             9)])
    pole.wait_packets(m_soon.stream_key, m_soon.packets_n, 30)
    assert pole.count(m_late.stream_key) < m_late.packets_n
    pole.wait_packets(m_late.stream_key, m_late.packets_n, 30)


# --- repairs -------------------------------------------------------------------


def pushed(world, text="Sửa chữa.", area="vn/08/070"):
    hash_, m = say(world, text)
    world.programme(area, [(hash_, now_ms() + 60000, m.duration_ms)])
    wait_until(lambda: world.pg.one(
        "SELECT count(*) FROM content.need WHERE pushed_at IS NOT NULL")
        == "1", "pushed")
    return hash_, m


def test_many_want_the_same(world):
    """Twenty poles miss the same packets: they are sent once, to the area."""
    _, m = pushed(world)
    mark, mark_m = say(world, "Dấu mốc.")
    world.programme("vn/08/070", world.items["vn/08/070"] + [
        (mark, now_ms() + 120000, mark_m.duration_ms)])
    all_pushed(world)
    poles = [world.pole(f"vn/08/070/07{n:03d}") for n in range(20)]
    for p in poles:
        p.want(m.stream_key, (0, m.packets_n))
    for p in poles:
        p.wait_packets(m.stream_key, m.packets_n)
    # All wants are in; what is wanted now is sent behind what they asked for.
    wait_until(lambda: world.service.metric("loa_content_wants_total") == 20,
               "wants")
    poles[0].want(mark_m.stream_key, (0, 1))
    for p in poles:
        p.wait_packets(mark_m.stream_key, 1)
        assert p.topics == {"loa/1/down/content/vn/08/070"}
        assert all(len(t) == 1 for t in p.times.values())
    assert world.service.metric(
        'loa_content_packets_sent_total{for="repair"}') == m.packets_n + 1
    # Later, somebody else: again.
    late = world.pole("vn/08/070/07999")
    late.want(m.stream_key, (3, 2))
    late.wait_packets(m.stream_key, 2)
    assert sorted(late.heard[m.stream_key]) == [3, 4]


def test_wants_that_are_not_answered(world):
    hash_, m = pushed(world)
    hash2, m2 = say(world, "Không ai cần.")
    pole = world.pole("vn/08/070/07001")
    beside = world.pole("vn/08/071/07101")
    pole.want(m2.stream_key, (0, 10))       # No programme needs it.
    pole.want(os.urandom(32), (0, 10))      # Nobody knows it.
    pole.want(m.stream_key, (m.packets_n, 5))
    beside.want(m.stream_key, (0, 10))      # Not its area's.
    topic = f"loa/1/up/want/{pole.area}/@{pole.who.principal}"
    for noise in (b"", b"\xff" * 50, device_want(b"short", [(0, 1)]),
                  device_want(m.stream_key, [(0, 0)]),
                  device_want(m.stream_key, [(4294967295, 2)])):
        pole.client.publish(topic, noise, qos=0)
    wait_until(lambda: world.service.metric(
        "loa_content_wants_refused_total") == 5, "refused")
    # What is wanted now is sent behind whatever they were given.
    pole.want(m.stream_key, (0, 1))
    pole.wait_packets(m.stream_key, 1)
    assert set(pole.heard) == {m.stream_key} and not beside.heard
    assert set(pole.heard[m.stream_key]) == {0}


def test_one_greedy_pole(world):
    _, m = pushed(world)
    pole = world.pole("vn/08/070/07001")
    for _ in range(500):
        pole.want(m.stream_key, (0, m.packets_n))
    wait_until(lambda: world.service.metric("loa_content_wants_total")
               + world.service.metric("loa_content_wants_refused_total")
               >= 500, "all arrived")
    assert world.service.metric("loa_content_wants_total") < 40
    modest = world.pole("vn/08/070/07002")
    modest.want(m.stream_key, (0, m.packets_n))
    modest.wait_packets(m.stream_key, m.packets_n)


def test_back_within_ten_seconds(world, wav):
    """A minute of speech, a pole that was off: all of it, fast."""
    minute = wav[44:] * 6
    folder = world.service.folder
    wav_write(os.path.join(folder, "minute.wav"), minute)
    with open(os.path.join(folder, "minute.wav"), "rb") as f:
        u = world.lan.upload(f.read(), title="Một phút", limit_s=60)
    assert u.stage == DONE, u
    _, m = world.content(u.content_hash)
    assert m.packets_n > 300
    world.programme("vn/08/070", [(u.content_hash, now_ms() + 60000,
                                   m.duration_ms)])
    wait_until(lambda: world.pg.one(
        "SELECT count(*) FROM content.need WHERE pushed_at IS NOT NULL")
        == "1", "pushed")
    pole = world.pole("vn/08/070/07001")
    began = time.monotonic()
    pole.want(m.stream_key, (0, m.packets_n))
    bodies = pole.wait_packets(m.stream_key, m.packets_n)
    took_s = time.monotonic() - began
    assert content_hash_of(bodies) == u.content_hash
    print(f"{m.packets_n} packets in {took_s:.2f} s")
    assert took_s < 5


# --- export ----------------------------------------------------------------------


def test_export(world, wav, tmp_path):
    """Ordinary players open what we archive, and it is the recording."""
    u = world.lan.upload(wav, title="Lưu trữ — bản tin")
    data = world.lan.export(u.content_hash)
    assert data == world.lan.export(u.content_hash)
    path = str(tmp_path / "x.opus")
    with open(path, "wb") as f:
        f.write(data)
    info = subprocess.run(["opusinfo", path], capture_output=True, text=True)
    assert info.returncode == 0 and "bản tin" in info.stdout, info
    subprocess.run(["opusdec", "--quiet", path, str(tmp_path / "y.wav")],
                   check=True)
    with open(tmp_path / "in.wav", "wb") as f:
        f.write(wav)
    source, heard = pcm(tmp_path / "in.wav"), pcm(path)
    assert abs(len(source) - len(heard)) < 960
    value, lag = correlation(source, heard)
    assert value > 0.9 and abs(lag) < 100, (value, lag)


def test_export_refused(world):
    hash_, _ = say(world)
    ask = world.lan.ask

    def export(asker=world.lan, **what):
        return asker.ask(export=services.ContentExport(**what)).status.code
    assert export(content_hash=b"x") == INVALID
    assert export(content_hash=os.urandom(32)) == NOT_FOUND
    assert export(content_hash=hash_, offset=1 << 40) == INVALID
    far = world.sender(world.province.staff("far", "vn/08/071"))
    assert export(far, content_hash=hash_) == NOT_FOUND
    size = ask(export=services.ContentExport(content_hash=hash_)).data_size
    a = ask(export=services.ContentExport(content_hash=hash_, offset=size))
    assert a.status.code == OK and a.data == b""


# --- strangers -------------------------------------------------------------------


def test_metrics_are_prometheus(world):
    say(world)
    text = world.service.http("/metrics")[1]
    checked = subprocess.run(["promtool", "check", "metrics"], input=text,
                             capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert 'loa_content_jobs_total{outcome="done"} 1' in text


def test_role_sees_its_schema_only(world):
    done = subprocess.run(
        ["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-c",
         "SELECT count(*) FROM scheduler.bulletin",
         world.pg.conninfo("loa_content")], capture_output=True, text=True)
    assert done.returncode != 0 and "permission denied" in done.stderr
    assert world.pg.query(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = "
        "c.relnamespace WHERE n.nspname = 'content' AND c.relkind = 'r' AND "
        "obj_description(c.oid) IS NULL") == []
