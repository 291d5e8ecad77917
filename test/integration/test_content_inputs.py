"""What is handed in wrong, twice, out of order, by the wrong person: each gets
one clear sentence, and nothing is lost."""
import os
import random
import subprocess

import pytest
from loa_broker import wait_until
from loa_content import (AUDIO, BUSY, CONFLICT, DONE, INVALID, NOT_ALLOWED,
                         NOT_FOUND, OK, PART, RECEIVING, TEXT, TOO_LARGE,
                         UPLOAD_FAILED, ContentWorld)
from loa_identity import pb, services
from loa_service import Postgres
from loa_sound import voice, wav_write


@pytest.fixture(scope="module")
def pg():
    with Postgres() as database:
        yield database


@pytest.fixture(scope="module")
def other_pg():
    """For a second service: one schema takes one process at a time."""
    with Postgres() as database:
        yield database


@pytest.fixture(scope="module")
def world(pg):
    with ContentWorld(pg, "--uploads-mine-max", "64") as w:
        yield w


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("sound") / "voice.wav")
    voice(path)
    with open(path, "rb") as f:
        return f.read()


def sentence(status):
    """Both languages: one line, a stop at its end."""
    for text in (status.text_vi, status.text_en):
        assert text.endswith(".") or text, status
        assert "\n" not in text and len(text) > 10, status
    assert any(ord(c) > 127 for c in status.text_vi), status
    return status


@pytest.mark.parametrize("what, code, word", [
    (dict(size=0), INVALID, "empty"),
    (dict(size=536870913), TOO_LARGE, "512 MiB"),
    (dict(size=2 << 30), TOO_LARGE, "512 MiB"),
    (dict(size=1 << 20, media=TEXT), TOO_LARGE, "64 KiB"),
    (dict(size=1, title=""), INVALID, "title"),
    (dict(size=1, title="x" * 201), INVALID, "title"),
    (dict(size=1, title="a\nb"), INVALID, "title"),
    (dict(size=1, language="tiếng"), INVALID, "language"),
    (dict(size=1, media=0), INVALID, "neither"),
    (dict(size=1, upload_id=b"short"), INVALID, "16 bytes"),
    (dict(size=1, area="vn/08"), NOT_ALLOWED, "outside"),
    (dict(size=1, area="vn/08/071"), NOT_ALLOWED, "outside"),
    (dict(size=1, area="vn//"), INVALID, "area"),
])
def test_begin_refused(world, what, code, word):
    a = world.lan.begin(**what)
    assert a.status.code == code, a
    assert word in sentence(a.status).text_en
    assert not a.HasField("upload")


def test_title_that_is_no_utf8(world):
    raw = services.UploadBegin(upload_id=os.urandom(16), media=AUDIO,
                               title="TITLE", size=1).SerializeToString()
    body = services.ContentRequest(upload_begin=services.UploadBegin())
    request = body.SerializeToString()[:1] + bytes([len(raw)]) + raw.replace(
        b"TITLE", b"\xff\xfe\xfd\xfc\xfb")
    message_id, _ = world.lan.send("content-ingest",
                                   pb.TYPE_CONTENT_REQUEST, request)
    a = world.lan.wait(message_id, services.ContentAnswer)
    assert a.status.code == INVALID and "title" in a.status.text_en


def flac_cut(wav, folder):
    """Half a FLAC file. Its header promises all samples."""
    path = os.path.join(folder, "voice.flac")
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-f", "wav", "-i",
                    "-", path], input=wav, check=True)
    with open(path, "rb") as f:
        data = f.read()
    return data[:len(data) // 2]


@pytest.mark.parametrize("name, data, media, code, word", [
    ("noise", random.Random(1).randbytes(5000), AUDIO, INVALID, ""),
    ("a text as sound", b"Xin ch\xc3\xa0o " * 500, AUDIO, INVALID, ""),
    ("one byte", b"R", AUDIO, INVALID, ""),
    ("invalid UTF-8", b"Xin ch\xe0o b\xe0 con", TEXT, INVALID, "byte"),
    ("NUL", b"Xin\0 chao", TEXT, INVALID, "zero byte"),
    ("blanks", b" \n\t " * 10, TEXT, INVALID, ""),
    ("UTF-16", "Xin chào".encode("utf-16"), TEXT, INVALID, ""),
], ids=lambda v: v if isinstance(v, str) else "")
def test_file_refused(world, name, data, media, code, word):
    u = world.lan.upload(data, title=name, media=media)
    assert u.stage == UPLOAD_FAILED, u
    assert u.failure.code == code, u
    assert word in sentence(u.failure).text_en
    assert not u.content_hash


def test_cut_files_are_refused(world, wav, tmp_path):
    for name, data in (("wav", wav[:len(wav) // 2]),
                       ("flac", flac_cut(wav, str(tmp_path)))):
        u = world.lan.upload(data, title="cut " + name)
        assert u.stage == UPLOAD_FAILED and u.failure.code == INVALID, u
        sentence(u.failure)


def test_no_sound_at_all(world, tmp_path):
    wav_write(str(tmp_path / "x.wav"), b"")
    with open(tmp_path / "x.wav", "rb") as f:
        u = world.lan.upload(f.read(), title="0 s")
    assert u.stage == UPLOAD_FAILED and u.failure.code == INVALID, u


def test_language_without_voice(world):
    u = world.lan.upload("Hej", title="x", media=TEXT, language="sv")
    assert u.stage == UPLOAD_FAILED and u.failure.code == INVALID, u
    assert "vi" in sentence(u.failure).text_vi


def test_parts_in_any_order_and_twice(world, wav):
    """The answer says what is durable without a gap; the result is the same
    content as that of parts in order."""
    a = world.lan.begin(len(wav), title="lộn xộn")
    id_ = a.upload.upload_id
    assert a.upload.stage == RECEIVING and a.upload.received == 0
    parts = [(at, wav[at:at + PART]) for at in range(0, len(wav), PART)]
    first, rest = parts[0], parts[1:]
    for at, data in (rest[1], rest[0], rest[1], rest[3]):
        a = world.lan.part(id_, at, data)
        assert a.status.code == OK and a.upload.received == 0, a
    assert world.lan.part(id_, *first).upload.received == 4 * PART - 0 - PART
    # As a sender that was started anew: begin again, go on from there.
    a = world.lan.begin(len(wav), title="lộn xộn", upload_id=id_)
    assert a.upload.received == 3 * PART
    # Parts of another cut that overlap what is there.
    for at in range(3 * PART - 100, len(wav), PART - 1):
        a = world.lan.part(id_, at, wav[at:at + PART - 1])
        assert a.status.code == OK, a
    assert a.upload.received == len(wav)
    u = world.lan.wait_ended(id_)
    assert u.stage == DONE, u
    v = world.lan.upload(wav, title="theo thứ tự")
    assert v.content_hash == u.content_hash
    # A late repetition, after the end.
    a = world.lan.part(id_, 0, wav[:PART])
    assert a.status.code == OK and a.upload.stage == DONE, a


def test_parts_refused(world):
    id_ = world.lan.begin(100).upload.upload_id
    for data, offset, code in ((b"", 0, INVALID), (b"x" * 48001, 0, INVALID),
                               (b"x" * 101, 0, INVALID), (b"x", 100, INVALID),
                               (b"x", 1 << 62, INVALID)):
        a = world.lan.part(id_, offset, data)
        assert a.status.code == code, (offset, len(data), a)
        sentence(a.status)
    a = world.lan.part(os.urandom(16), 0, b"x")
    assert a.status.code == NOT_FOUND
    other = world.sender(world.province.staff("hoa", "vn/08/070"))
    assert other.part(id_, 0, b"x").status.code == NOT_ALLOWED
    assert other.begin(100, upload_id=id_).status.code == NOT_ALLOWED
    assert world.lan.begin(101, upload_id=id_).status.code == CONFLICT
    a = world.lan.state(id_)
    assert a.upload.stage == RECEIVING and a.upload.received == 0
    # Somebody of another area does not even learn that it exists.
    far = world.sender(world.province.staff("far", "vn/08/071"))
    assert far.state(id_).status.code == NOT_FOUND


def test_same_request_twice_is_done_once(world):
    """The message id of a request is its identity, whatever happens to the
    answer."""
    id_ = os.urandom(16)
    begin = services.UploadBegin(upload_id=id_, media=TEXT, title="hai lần",
                                 size=3)
    message_id = os.urandom(16)
    a = world.lan.ask(upload_begin=begin, message_id=message_id)
    b = world.lan.ask(upload_begin=begin, message_id=message_id)
    assert a == b and a.status.code == OK
    assert world.pg.one("SELECT count(*) FROM content.upload WHERE upload_id ="
                        f" '\\x{id_.hex()}'") == "1"


def test_devices_may_not_ask(world):
    pole = world.province.device("pole_9", "vn/08/070/07001")
    client = world.broker.connect(pole)
    # The broker already refuses the topic.
    code = client.publish("loa/1/rpc/content-ingest/vn/08/070/07001/@pole_9",
                          pole.envelope(pb.TYPE_CONTENT_REQUEST,
                                        services.ContentRequest()))
    assert code == 0x87


def test_quotas(other_pg):
    with ContentWorld(other_pg, "--uploads-mine-max", "2", "--bytes-mine-max",
                      "100000", "--bytes-all-max", "150000") as w:
        first = w.lan.begin(60000)
        assert first.status.code == OK
        a = w.lan.begin(60000)
        assert a.status.code == BUSY and "quota" in sentence(a.status).text_en
        assert w.lan.begin(1).status.code == OK
        a = w.lan.begin(1)
        assert a.status.code == BUSY and "unfinished" in a.status.text_en
        a = w.minh.begin(99999)
        assert a.status.code == BUSY and "server" in a.status.text_en, a
        assert w.minh.begin(80000).status.code == OK
        # What was refused changed nothing: the first one goes on.
        a = w.lan.part(first.upload.upload_id, 0, b"x" * 48000)
        assert a.upload.received == 48000


def test_disk_nearly_full(other_pg):
    with ContentWorld(other_pg, "--free-bytes-min", str(1 << 50)) as w:
        a = w.lan.begin(10)
        assert a.status.code == BUSY and "disk" in sentence(a.status).text_en
        # What does not need room works on.
        assert w.lan.find().status.code == OK


def test_stale_upload_is_dropped(other_pg):
    """Nobody goes on with it: its parts go, and the id is void."""
    with ContentWorld(other_pg, "--upload-stale", "1s") as w:
        id_ = w.lan.begin(100000).upload.upload_id
        assert w.lan.part(id_, 0, b"x" * PART).status.code == OK
        wait_until(lambda: w.pg.one("SELECT count(*) FROM content.upload")
                   == "0", "dropped")
        assert w.pg.one("SELECT count(*) FROM content.upload_part") == "0"
        assert w.lan.part(id_, PART, b"x").status.code == NOT_FOUND
