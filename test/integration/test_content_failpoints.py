"""Stopped dead at the n-th commit, slice or block of a text's whole way, for
every n until it gets through (every fifth, unless LOA_EVERY=1)."""
import os
import time

import pytest
from content_fixtures import pg  # noqa: F401
from loa_broker import LIMIT_S, wait_until
from loa_content import DONE, OK, TEXT, ContentWorld, content_hash_of
from loa_identity import content, now_ms, pb, services
from loa_service import with_fail_points

N_MAX = 60
EVERY = int(os.environ.get("LOA_EVERY", "5"))


def go(world, what, limit_s=LIMIT_S):
    """Do it, and as a supervisor restart the service when it has died."""
    end = time.monotonic() + limit_s
    while True:
        if world.service.process.poll() is not None:
            world.died = True
            world.service.start()
        try:
            return what()
        except Exception:
            if world.service.process.poll() is None \
                    and time.monotonic() > end:
                raise


def ask(world, asker, **what):
    return go(world, lambda: asker.ask(limit_s=1, **what))


def whole_way(world, text):
    """Upload, encode, approve, programme, push: what a pole heard."""
    data = text.encode()
    id_ = os.urandom(16)
    begin = services.UploadBegin(upload_id=id_, media=TEXT, size=len(data),
                                 title="Từng bước")
    part = services.UploadPart(upload_id=id_, offset=0, data=data)
    assert ask(world, world.lan, upload_begin=begin).status.code == OK
    assert ask(world, world.lan, upload_part=part).status.code == OK

    def ended():
        u = world.lan.state(id_, limit_s=1).upload
        assert u.stage == DONE, u
        return u
    u = go(world, ended)
    c = ask(world, world.minh,
            find=services.ContentFind(content_hash=u.content_hash))
    approval = world.minh_id.envelope(pb.TYPE_APPROVAL, c.contents[0].manifest,
                                      area="vn/08")
    assert ask(world, world.minh, approve=services.ContentApprove(
        approval=approval)).status.code == OK
    m = content.ContentManifest.FromString(c.contents[0].manifest)
    pole = world.pole("vn/08/070/07001")
    go(world, lambda: world.programme(
        "vn/08/070", [(u.content_hash, now_ms() + 60000, m.duration_ms)]))
    bodies = go(world, lambda: pole.wait_packets(m.stream_key, m.packets_n, 2))
    assert content_hash_of(bodies) == u.content_hash
    go(world, lambda: wait_until(lambda: world.pg.one(
        "SELECT count(*) FROM content.need WHERE pushed_at IS NULL") == "0",
        "pushed", 2))


def check_tables(world):
    one = world.pg.one
    assert one("SELECT count(*) FROM content.content") == "1"
    assert one("SELECT count(*) FROM content.approval") == "1"
    assert one("SELECT count(*) FROM content.submission") == "1"
    assert one("SELECT count(*) FROM content.upload WHERE state = 'done'"
               ) == "1"
    # The n-th commit may be one of the sweeping.
    go(world, lambda: wait_until(
        lambda: one("SELECT count(*) FROM content.trash") == "0"
        and one("SELECT count(*) FROM content.upload_part") == "0",
        "swept", 2))
    assert one("SELECT count(*) = (SELECT packets_n FROM content.content) "
               "FROM content.packet") == "t"


@pytest.mark.parametrize("point", ["pg.commit", "pg.committed", "job.encode",
                                   "job.slice", "sender.block"])
def test_every_moment(pg, point):
    program = with_fail_points("loa-content-ingest")
    died_n = 0
    for n in range(1, N_MAX, EVERY):
        with ContentWorld(pg, start=False) as world:
            world.died = False
            world.service.argv[0] = program
            world.service.start(LOA_FAILPOINT=f"{point}:{n}:abort",
                                wait=False)
            whole_way(world, f"Bước {point} số {n}.")
            check_tables(world)
            if not world.died:
                break       # It got through before the n-th time.
            died_n += 1
    assert died_n >= 1
    print(f"{point}: died {died_n} times")
