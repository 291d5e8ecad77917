"""Killed at any moment: nothing that was answered is lost, nothing is done
twice, what was begun is ended by the next start."""
import os
import random
import time

import pytest
from content_fixtures import pg, push_mark, wav  # noqa: F401
from loa_broker import LIMIT_S, wait_until
from loa_content import (DONE, OK, PART, RECEIVING, TEXT, ContentWorld,
                         content_hash_of)
from loa_identity import now_ms


@pytest.fixture
def world(pg):
    with ContentWorld(pg, "--push-packets-per-s", "100") as w:
        yield w


def encoders(work):
    """Which loa-encode processes work in this folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read()
        except OSError:  # it has just ended
            continue
        if b"loa-encode\0" in line and work.encode() in line:
            found.append(int(pid))
    return found


def restart(world):
    world.service.kill()
    world.service.start()


def test_in_upload(world, wav):
    """Killed again and again while parts come in: what was answered as durable
    is durable, and the sender goes on from there."""
    random.seed(1)
    id_ = os.urandom(16)
    data = wav + os.urandom(8)
    assert world.lan.begin(len(data), upload_id=id_).status.code == OK
    durable, kills = 0, 0
    while durable < len(data):
        a = world.lan.begin(len(data), upload_id=id_)
        assert a.status.code == OK
        assert a.upload.received >= durable, "an answered part is lost"
        durable = a.upload.received
        for _ in range(random.randrange(1, 6)):
            if durable == len(data):
                break
            a = world.lan.part(id_, durable, data[durable:durable + PART])
            assert a.status.code == OK
            durable = a.upload.received
        if durable < len(data):
            # Some are on their way when it dies.
            for n in range(4):
                at = durable + n * PART
                if at < len(data):
                    world.lan.send_only(id_, at, data[at:at + PART])
            restart(world)
            kills += 1
    assert kills >= 3
    u = world.lan.wait_ended(id_)
    assert u.stage in (DONE,), u


def test_in_encoding(world, wav):
    """The job is queued again, the worker's leavings are swept, and there is
    one content."""
    before = int(world.pg.one("SELECT count(*) FROM content.content"))
    longer = wav[:44] + wav[44:] * 12      # Takes a while to encode.
    longer = longer[:4] + (len(longer) - 8).to_bytes(4, "little") + \
        longer[8:40] + (len(longer) - 44).to_bytes(4, "little") + longer[44:]
    id_ = world.lan.begin(len(longer), title="dài").upload.upload_id
    world.lan.send_parts(id_, longer)
    wait_until(lambda: world.lan.state(id_).upload.permille > 100,
               "encoding")
    restart(world)
    assert world.pg.one("SELECT attempts_n FROM content.upload WHERE upload_id"
                        f" = '\\x{id_.hex()}'") in ("1", "2")
    u = world.lan.wait_ended(id_, 60)
    assert u.stage == DONE, u
    assert int(world.pg.one("SELECT count(*) FROM content.content")) == \
        before + 1
    work = os.path.join(world.service.folder, "work")
    wait_until(lambda: os.listdir(work) == [], "work directory is empty")
    wait_until(lambda: encoders(work) == [], "no worker is left")
    # Every packet belongs to a content, and every content has all of them.
    wait_until(lambda: world.pg.one(
        "SELECT count(*) FROM content.packet WHERE stream_key NOT IN "
        "(SELECT stream_key FROM content.content)") == "0", "trash is empty")
    assert world.pg.query(
        "SELECT c.title FROM content.content c WHERE packets_n <> (SELECT "
        "count(*) FROM content.packet p WHERE p.stream_key = c.stream_key)"
    ) == []
    wait_until(lambda: world.pg.one("SELECT count(*) FROM content.upload_part")
               == "0", "parts are swept")


def test_stopped_in_encoding(world, wav):
    """A stop that was asked for takes the worker along and loses nothing."""
    id_ = world.lan.begin(len(wav), title="dừng").upload.upload_id
    world.lan.send_parts(id_, wav)
    work = os.path.join(world.service.folder, "work")
    wait_until(lambda: encoders(work) != [] and any(
        f.endswith(".tmp") for f in os.listdir(work)), "worker")
    assert world.service.stop() == 0
    # It was killed; to die it needs a moment of CPU, and it has low priority.
    wait_until(lambda: encoders(work) == [], "the worker is gone")
    assert os.listdir(work) == [f"stopped-{id_.hex()}"]
    world.service.start()
    assert world.lan.wait_ended(id_).stage == DONE


def endless_encoder(w):
    """A program that takes the encoder's place and ends with the service."""
    path = os.path.join(w.service.folder, "endless-encode")
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\nexec tail --pid=$PPID -f /dev/null\n")
    os.chmod(path, 0o755)
    return path


def test_three_times_in_encoding(pg, wav):
    """A file over which we die each time is given up, with a sentence."""
    with ContentWorld(pg) as w:
        w.service.argv += ["--encoder", endless_encoder(w)]
        w.service.stop()
        w.service.start()
        id_ = w.lan.begin(len(wav), title="chết").upload.upload_id
        w.lan.send_parts(id_, wav)
        for attempt in ("1", "2", "3"):
            wait_until(lambda a=attempt: w.pg.one(
                "SELECT attempts_n FROM content.upload WHERE upload_id = "
                f"'\\x{id_.hex()}' AND state = 'encoding'") == a, "attempt")
            restart(w)
        u = w.lan.wait_ended(id_)
        assert "three times" in u.failure.text_en, u


def stop_and_start(w):
    assert w.service.stop() == 0
    w.service.start()


def broker_away(w):
    """Its supervisor starts the service again before the broker is back."""
    w.broker.stop()
    assert w.service.process.wait(LIMIT_S) == 1
    for _ in range(3):
        w.service.start(wait=False)
        assert w.service.process.wait(LIMIT_S) == 1
    w.broker.start()
    w.service.start()
    w.lan = w.sender(w.lan_id)


def database_away(w):
    w.pg.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
               "WHERE usename = 'loa_content'")
    assert w.service.process.wait(LIMIT_S) == 1
    w.service.start()


@pytest.mark.parametrize("ends", [stop_and_start, broker_away, database_away])
def test_stops_are_not_the_files_fault(pg, wav, ends):
    """After three stops, or a broker that was away for some seconds, a good file
    was given up: "The server tried three times"."""
    with ContentWorld(pg) as w:
        real = list(w.service.argv)
        w.service.stop()
        w.service.argv = real + ["--encoder", endless_encoder(w)]
        w.service.start()
        id_ = w.lan.begin(len(wav), title="tốt").upload.upload_id
        w.lan.send_parts(id_, wav)

        def begun():
            return any(f.startswith("job-") for f in os.listdir(work))
        work = os.path.join(w.service.folder, "work")
        for _ in range(4):
            wait_until(begun, "encoding")
            assert w.pg.one("SELECT attempts_n FROM content.upload") == "1"
            ends(w)
        w.service.argv = real
        wait_until(begun, "encoding")
        stop_and_start(w)
        assert w.lan.wait_ended(id_).stage == DONE


def test_in_push(world, wav):
    """After the kill the push ends, and is not begun again afterwards."""
    u = world.lan.upload(wav, title="đẩy")
    _, m = world.content(u.content_hash)
    pole = world.pole("vn/08/070/07001")
    # Other tests may have sent this sound already: another area is new.
    world.programme("vn/08/070", [(u.content_hash, now_ms() + 60000,
                                   m.duration_ms)])
    pole.wait_packets(m.stream_key, 5)
    restart(world)
    bodies = pole.wait_packets(m.stream_key, m.packets_n)
    assert content_hash_of(bodies) == u.content_hash
    wait_until(lambda: world.pg.one(
        "SELECT count(*) FROM content.need WHERE area = 'vn.08.070' AND "
        "pushed_at IS NOT NULL") == "1", "push is marked")
    pole.forget()
    restart(world)
    restart(world)
    _, mark_n = push_mark(world, "vn/08/070", pole)
    assert pole.count(m.stream_key) == 0
    assert world.service.metric('loa_content_packets_sent_total{for="push"}'
                                ) == mark_n


def test_broker_loses_its_memory(pg, wav):
    """Restarted without its retained programmes: the service starts anew (its
    supervisor's work) and still knows what is needed."""
    with ContentWorld(pg) as w:
        u = w.lan.upload(wav, title="mất trí nhớ")
        _, m = w.content(u.content_hash)
        pole = w.pole("vn/08/070/07001")
        w.programme("vn/08/070", [(u.content_hash, now_ms() + 60000,
                                   m.duration_ms)])
        pole.wait_packets(m.stream_key, m.packets_n)
        wait_until(lambda: w.pg.one("SELECT count(*) FROM content.need WHERE "
                                    "pushed_at IS NOT NULL") != "0", "marked")
        w.broker.stop()
        assert w.service.process.wait(LIMIT_S) == 1
        w.broker.start()
        w.service.start()
        again = w.pole("vn/08/070/07002")
        again.want(m.stream_key, (0, m.packets_n))
        assert content_hash_of(again.wait_packets(m.stream_key, m.packets_n)
                               ) == u.content_hash


def test_text_survives_kills_at_random(world):
    """Twenty kills at random moments of a text's way."""
    random.seed(2)
    for n in range(20):
        text = f"Thông báo số {n}: họp tổ dân phố lúc {n} giờ."
        id_ = os.urandom(16)
        data = text.encode()
        a = world.lan.begin(len(data), title=f"kill {n}", media=TEXT,
                            upload_id=id_)
        assert a.status.code == OK
        message_id, _ = world.lan.send_only(id_, 0, data)
        time.sleep(random.random() * 0.6)
        restart(world)
        a = world.lan.state(id_)
        if a.upload.stage == RECEIVING and a.upload.received == 0:
            assert world.lan.part(id_, 0, data).status.code == OK
        u = world.lan.wait_ended(id_)
        assert u.stage == DONE, u
    assert world.pg.one(
        "SELECT count(*), count(DISTINCT content_hash) FROM content.content "
        "WHERE title LIKE 'kill %'") == "20"
