"""What the tests of content-ingest begin with: import the fixtures that a file
needs.

    from content_fixtures import pg, say, wav, world  # noqa: F401
"""
import os

import pytest
from loa_broker import wait_until
from loa_content import DONE, TEXT, ContentWorld
from loa_identity import now_ms
from loa_service import Postgres
from loa_sound import voice


@pytest.fixture(scope="module")
def pg():
    with Postgres() as database:
        yield database


@pytest.fixture
def world(pg):
    with ContentWorld(pg) as w:
        yield w


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    """A recording, as a file's bytes."""
    path = str(tmp_path_factory.mktemp("sound") / "voice.wav")
    voice(path)
    with open(path, "rb") as f:
        return f.read()


def say(world, text="Thông báo.", asker=None, **more):
    """A short text as content: (hash, manifest)."""
    u = (asker or world.lan).upload(text, title=more.pop("title", "Thông báo"),
                                    media=TEXT, **more)
    assert u.stage == DONE, u
    return u.content_hash, world.content(u.content_hash)[1]


def all_pushed(world):
    wait_until(lambda: world.pg.one("SELECT count(*) FROM content.need WHERE"
                                    " pushed_at IS NULL") == "0", "pushed")


def push_mark(world, area, pole):
    """Whatever was to be pushed up to now has been: a content that starts
    later is pushed behind it, and the pole has it. Returns its stream key and
    number of packets."""
    hash_, m = say(world, f"Dấu mốc {os.urandom(3).hex()}.")
    world.programme(area, world.items.get(area, []) + [
        (hash_, now_ms() + 120000, m.duration_ms)])
    pole.wait_packets(m.stream_key, m.packets_n)
    return m.stream_key, m.packets_n
