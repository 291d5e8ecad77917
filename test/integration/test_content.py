"""loa-content-ingest on a real broker with the plugin and a real PostgreSQL:
from a file or a text to what devices hear."""
from content_fixtures import pg, wav, world  # noqa: F401
from loa_content import AUDIO, DONE, OK, TEXT, content_hash_of
from loa_identity import now_ms


def test_recording_is_heard(world, wav):
    """Upload, find, approve, programme: every pole below hears every packet
    once, they verify and make the content's hash."""
    u = world.lan.upload(wav, title="Bản tin sáng thứ Hai", media=AUDIO)
    assert u.stage == DONE, u
    c, m = world.content(u.content_hash)
    assert m.title == "Bản tin sáng thứ Hai" and m.media == AUDIO
    assert c.area == "vn/08/070" and c.submitted_by == "lan"
    assert m.packets_n == -(-m.frames_n // 10)
    poles = [world.pole("vn/08/070/07001"), world.pole("vn/08/070/07002")]
    other = world.pole("vn/08/071/07101")
    a = world.approve(u.content_hash)
    assert a.status.code == OK and len(a.contents[0].approvals) == 1
    world.programme("vn/08/070", [(u.content_hash, now_ms() + 60000,
                                   m.duration_ms)])
    for p in poles:
        bodies = p.wait_packets(m.stream_key, m.packets_n)
        assert content_hash_of(bodies) == u.content_hash
        assert all(len(t) == 1 for t in p.times.values())
        assert p.topics == {"loa/1/down/content/vn/08/070"}
    assert other.count(m.stream_key) == 0
    c, _ = world.content(u.content_hash)
    assert list(c.needed_by) == ["vn/08/070"]


def test_text_is_spoken(world):
    text = "Kính thưa bà con, ngày mai 8 giờ sáng họp tại nhà văn hóa."
    u = world.lan.upload(text, title="Thông báo họp", media=TEXT)
    assert u.stage == DONE, u
    c, m = world.content(u.content_hash)
    assert m.media == TEXT and m.duration_ms > 2000
    assert world.pg.one("SELECT source_text FROM content.content WHERE "
                        f"content_hash = '\\x{u.content_hash.hex()}'") == text
