"""What is deleted goes, after everybody who may need it has let it go."""
import os

from content_fixtures import pg, say  # noqa: F401
from loa_broker import wait_until
from loa_content import (BUSY, IN_USE, NOT_ALLOWED, NOT_FOUND, OK,
                         ContentWorld)
from loa_identity import SCHEDULE, TIME, now_ms, services


def delete(asker, hash_):
    return asker.ask(delete=services.ContentDelete(content_hash=hash_)).status


def test_deletion(pg):
    with ContentWorld(pg, "--delete-grace", "2s") as w:
        hash_, m = say(w)
        other = w.sender(w.province.staff("hoa", "vn/08/070"))
        assert delete(other, hash_).code == NOT_ALLOWED
        assert delete(w.lan, os.urandom(32)).code == NOT_FOUND
        version_item = [(hash_, now_ms() + 60000, m.duration_ms)]
        w.programme("vn/08/070", version_item)
        wait_until(lambda: list(w.content(hash_)[0].needed_by)
                   == ["vn/08/070"], "needed")
        assert delete(w.lan, hash_).code == IN_USE
        w.programme("vn/08/070", [])
        wait_until(lambda: not w.content(hash_)[0].needed_by, "not needed")
        # The plan reaches further than programmes: who made them is asked.
        assert delete(w.lan, hash_).code == BUSY
        assert not w.content(hash_)[0].deleting
        w.let_go()
        assert delete(w.lan, hash_).code == OK
        assert delete(w.lan, hash_).code == OK
        assert w.content(hash_)[0].deleting
        # A programme that appears meanwhile saves it.
        w.programme("vn/08/071", version_item)
        wait_until(lambda: not w.content(hash_)[0].deleting, "saved")
        # Another one whose grace began later goes; this one stays.
        later, _ = say(w, "Xoá sau.")
        assert delete(w.lan, later).code == OK
        wait_until(lambda: w.lan.find(later).status.code == NOT_FOUND, "gone",
                   20)
        assert w.content(hash_)[0].needed_by
        w.programme("vn/08/071", [])
        wait_until(lambda: not w.content(hash_)[0].needed_by, "not needed")
        # An approver may delete what somebody else sent.
        assert delete(w.minh, hash_).code == OK
        wait_until(lambda: w.lan.find(hash_).status.code == NOT_FOUND, "gone",
                   20)
        wait_until(lambda: pg.one("SELECT count(*) FROM content.packet")
                   == "0", "packets are gone")
        # It may come again.
        again, m2 = say(w)
        assert again == hash_ and m2.stream_key != m.stream_key


def test_who_lets_a_content_go(pg):
    with ContentWorld(pg) as w:
        first, _ = say(w)
        second, _ = say(w, "Bài thứ hai.")
        w.let_go(who=w.registry_id)     # It is not asked.
        assert delete(w.lan, first).code == BUSY
        w.let_go(who=w.province.service("scheduler_1", "scheduler", "vn/08"))
        assert delete(w.lan, first).code == BUSY    # It has no powers.
        assert "event=release.refused verdict=power" in w.service.log()
        w.let_go(code=IN_USE, text_vi="còn cần", text_en="in ten days")
        status = delete(w.lan, first)
        assert status.code == IN_USE and status.text_en == "in ten days"
        assert status.text_vi == "còn cần"
        assert not w.content(first)[0].deleting
        w.let_go(code=BUSY)             # Its clock is in doubt.
        assert delete(w.lan, first).code == BUSY
        w.let_go()
        w.programme("vn/08/071", [])
        assert delete(w.lan, first).code == OK
        # Another scheduler makes programmes here, and says nothing.
        other = w.province.service("scheduler_070", "scheduler", "vn/08/070",
                                   powers=SCHEDULE | TIME)
        w.programme("vn/08/070", [], who=other)
        assert delete(w.lan, second).code == BUSY
        assert not w.content(second)[0].deleting


def test_who_must_agree_is_known_after_a_restart(pg):
    """Whose programmes are good was only in memory: after a restart, and as long
    as the broker did not hand them out again, one scheduler's OK was enough."""
    with ContentWorld(pg) as w:
        hash_, _ = say(w)
        w.let_go()
        w.programme("vn/08/071", [])
        other = w.province.service("scheduler_070", "scheduler", "vn/08/070",
                                   powers=SCHEDULE | TIME)
        w.programme("vn/08/070", [], who=other)
        wait_until(lambda: pg.one("SELECT count(*) FROM content.programme")
                   == "2", "both are taken")
        assert delete(w.lan, hash_).code == BUSY
        assert w.service.stop() == 0
        topic = "loa/1/down/programme/vn/08/070"
        assert w.scheduler.publish(topic, b"", retain=True) in (0, 0x10)
        w.service.start()
        assert delete(w.lan, hash_).code == BUSY
        assert not w.content(hash_)[0].deleting
        w.programme("vn/08/070", [])    # From now on it is the province's.
        wait_until(lambda: delete(w.lan, hash_).code == OK, "all agree", 30)


def test_too_many_schedulers_only_as_long_as_they_count(pg):
    """After a seventeenth scheduler nothing was deleted any more, until somebody
    started the service again: those that are over kept their places."""
    with ContentWorld(pg) as w:
        hash_, _ = say(w)
        w.let_go()
        w.programme("vn/08/071", [])
        for n in range(18):
            who = w.province.service(f"scheduler_{n}", "scheduler", "vn/08",
                                     powers=SCHEDULE | TIME)
            w.programme("vn/08/071", [], who=who, ttl_ms=20000)
        wait_until(lambda: "event=release.signers" in w.service.log(), "told")
        w.programme("vn/08/071", [])
        assert delete(w.lan, hash_).code == BUSY
        wait_until(lambda: delete(w.lan, hash_).code == OK, "they are over", 40)
