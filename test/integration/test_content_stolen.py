"""What a stolen scheduler's key invents takes no room from anybody. What it
fills with contents that an approver did sign for is empty again when the key is
revoked: in memory, in the database, and after a restart."""
import os

from content_fixtures import pg, say  # noqa: F401
from loa_broker import wait_until
from loa_content import DAY, IN_USE, OK, ContentWorld
from loa_identity import SCHEDULE, TIME, now_ms, pb, programme, services

YEAR_9998 = 253370764800000
NEED_CONTENTS_MAX, NEED_PROGRAMME_MAX = 65536, 128


def successor(w):
    """The honest scheduler with another key."""
    who = w.province.service("scheduler_new", "scheduler", "vn/08",
                             powers=SCHEDULE | TIME)
    w.scheduler, w.scheduler_id = w.broker.connect(who), who
    return who


def revoke(w, who, number=1):
    registry = w.broker.connect(w.registry_id, client_id="registry_08-x")
    registry.publish("loa/1/down/trust/vn/08",
                     w.registry_id.trust_list(number, revoked=[who]),
                     retain=True)


def invent(w, n, start_ms, ttl_ms, approved=False):
    """A programme full of contents that do not exist, for such an area.
    approved: somebody has signed for them all the same."""
    area = f"vn/08/x{n}"
    body = programme.Programme(version=now_ms())
    for _ in range(NEED_PROGRAMME_MAX):
        b = body.bulletins.add(bulletin_id=os.urandom(16),
                               content_hash=os.urandom(32), duration_ms=1000,
                               starts_at_ms=[start_ms], title="x")
        setattr(b, "class", 1)
        if approved:
            w.add_approval(body, b.content_hash)
    w.scheduler.publish(f"loa/1/down/programme/{area}", w.scheduler_id.envelope(
        pb.TYPE_PROGRAMME, body, area=area, ttl_ms=ttl_ms), retain=True)


def rows(w, table):
    return int(w.pg.one(f"SELECT count(*) FROM content.{table}"))


def test_invented_contents_take_no_room(pg):
    """65,536 invented contents kept out all that were new, until the key that
    had signed them was revoked."""
    with ContentWorld(pg) as w:
        hash_, m = say(w)
        other, _ = say(w, "Thứ hai.")
        w.programme("vn/08/071", [(other, now_ms() + DAY // 2, 5000)])
        wait_until(lambda: rows(w, "need") == 1, "one is needed")
        areas_n = NEED_CONTENTS_MAX // NEED_PROGRAMME_MAX + 8
        for n in range(areas_n):
            invent(w, n, now_ms() + 30 * DAY, 40 * DAY)
        # An approval for one is none for the others.
        body = programme.Programme(version=now_ms())
        for _ in range(NEED_PROGRAMME_MAX):
            b = body.bulletins.add(bulletin_id=os.urandom(16),
                                   content_hash=os.urandom(32),
                                   duration_ms=1000, title="x",
                                   starts_at_ms=[now_ms() + DAY // 2])
            setattr(b, "class", 1)
        w.add_approval(body, hash_)
        w.scheduler.publish("loa/1/down/programme/vn/08/y", w.scheduler_id
                            .envelope(pb.TYPE_PROGRAMME, body, area="vn/08/y",
                                      ttl_ms=DAY), retain=True)
        wait_until(lambda: w.service.metric("loa_content_programmes_total") ==
                   areas_n + 2, "all of it was read", 60)
        assert w.service.metric("loa_content_needs") == 1
        pole = w.pole("vn/08/070/07001")
        w.programme("vn/08/070", [(hash_, now_ms() + 60000, 5000)])
        pole.wait_packets(m.stream_key, m.packets_n)
        # What is needed stays, the same after a restart with all of it.
        w.let_go()
        delete = services.ContentDelete(content_hash=other)
        assert w.lan.ask(delete=delete, limit_s=20).status.code == IN_USE
        wait_until(lambda: rows(w, "need") == 2, "written")
        w.service.kill()
        w.service.start()
        assert w.service.metric("loa_content_needs") == rows(w, "need") == 2
        assert w.lan.ask(delete=delete, limit_s=20).status.code == IN_USE
        late, m = say(w, "Thứ ba.")
        w.programme("vn/08/070", [(hash_, now_ms() + 60000, 5000),
                                  (late, now_ms() + 90000, 5000)])
        pole.wait_packets(m.stream_key, m.packets_n)
        assert w.service.metric("loa_content_needs") == 3


def test_room_comes_back_when_a_key_is_revoked(pg):
    """65,536 contents that do not exist kept all others out for good: the
    revocation of the key that had signed them changed nothing, nor did a
    restart."""
    with ContentWorld(pg) as w:
        hash_, m = say(w)
        stolen = w.scheduler_id
        for n in range(NEED_CONTENTS_MAX // NEED_PROGRAMME_MAX):
            invent(w, n, now_ms() + 30 * DAY, 40 * DAY, approved=True)
        wait_until(lambda: w.service.metric("loa_content_needs") ==
                   NEED_CONTENTS_MAX, "it is full", 60)
        successor(w)
        pole = w.pole("vn/08/070/07001")
        w.programme("vn/08/070", [(hash_, now_ms() + 60000, 5000)])
        wait_until(lambda: "event=programme.room" in w.service.log(), "no room")
        revoke(w, stolen)
        # It is not sent again: it is retained, and asked for.
        pole.wait_packets(m.stream_key, m.packets_n)
        wait_until(lambda: (rows(w, "need"), rows(w, "programme")) == (1, 1),
                   "the tables have forgotten it", 60)


def test_what_a_revoked_key_signed_is_not_loaded(pg):
    """The service is killed before the tables have forgotten it."""
    with ContentWorld(pg) as w:
        for n in range(3):
            invent(w, n, now_ms() + DAY, 2 * DAY, approved=True)
        wait_until(lambda: rows(w, "need") == 3 * NEED_PROGRAMME_MAX, "taken")
        w.service.stop()
        for t in ("signer", "programme", "need"):
            pg.query(f"CREATE TABLE content.kept_{t} AS "
                     f"SELECT * FROM content.{t}")
        try:
            w.service.start()
            revoke(w, w.scheduler_id)
            wait_until(lambda: rows(w, "programme") == 0, "forgotten")
            w.service.kill()
            pg.query("DELETE FROM content.signer")
            for t in ("signer", "programme", "need"):
                pg.query(f"INSERT INTO content.{t} "
                         f"SELECT * FROM content.kept_{t}")
            w.service.start()
            assert rows(w, "need") == rows(w, "programme") == 0
            assert w.service.metric("loa_content_needs") == 0
        finally:
            pg.query("DROP TABLE content.kept_signer, content.kept_programme, "
                     "content.kept_need")


def test_programmes_that_never_end(pg):
    """A programme until the year 9999 was believed until then, and nothing
    could be deleted: its signer's word was waited for."""
    with ContentWorld(pg) as w:
        hash_, _ = say(w)
        stolen = w.scheduler_id
        invent(w, 1, YEAR_9998, YEAR_9998 + DAY - now_ms(), approved=True)
        w.programme("vn/08/071", [(hash_, now_ms() + DAY, 5000)],
                    ttl_ms=YEAR_9998 - now_ms())
        wait_until(lambda: rows(w, "programme") == 2, "both are taken")
        assert pg.one("SELECT max(expires_at) < now() + interval '64 days' "
                      "FROM content.programme") == "t"
        assert rows(w, "need") == 1
        successor(w)
        w.programme("vn/08/071", [])
        wait_until(lambda: rows(w, "need") == 0, "replaced")
        w.let_go()
        delete = services.ContentDelete(content_hash=hash_)
        assert w.lan.ask(delete=delete, limit_s=20).status.code != OK
        revoke(w, stolen)
        wait_until(lambda: w.lan.ask(delete=delete, limit_s=20).status.code ==
                   OK, "nobody waits for it", 30)
        w.service.kill()
        w.service.start()
        assert w.pg.query("SELECT area FROM content.programme") == [
            ["vn.08.071"]]
