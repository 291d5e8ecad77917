"""loactl against a content-ingest that is not our friend: what an approver
signs is what the approver asked for."""
import hashlib
import os
import struct
import subprocess

import numpy as np
import pytest

import loa_sound
from loa_broker import BUILD, Broker
from loa_identity import (CONTENT_APPROVE, content, new_root, open_envelope,
                          pb, services)

PIECE = 40000


class Ingest:
    """Shows a content with the manifest of the sound it is told to."""

    def __init__(self, broker, identity):
        self.identity, self.manifest_of = identity, None
        self.approvals, self.file, self.pre_skip = [], b"", 0
        self.client = broker.connect(identity)
        self.client.mqtt.on_message = self._on_message
        assert self.client.subscribe("loa/1/rpc/content-ingest/vn/#") == 1

    def _on_message(self, _client, _data, m):
        signed, _ = open_envelope(m.payload)
        q = services.ContentRequest.FromString(signed.body)
        answer = services.ContentAnswer(status=pb.Status())
        if q.WhichOneof("what") == "approve":
            self.approvals.append(open_envelope(q.approve.approval)[0])
        elif q.WhichOneof("what") == "export":
            at = q.export.offset
            answer.data = self.file[at:at + PIECE]
            answer.data_offset, answer.data_size = at, len(self.file)
        else:
            answer.contents.add(
                content_hash=q.find.content_hash,
                manifest=content.ContentManifest(
                    content_hash=self.manifest_of or q.find.content_hash,
                    stream_key=os.urandom(32), title="Bản tin",
                    packets_n=1, frames_n=10, duration_ms=200,
                    pre_skip=self.pre_skip,
                ).SerializeToString())
        self.client.mqtt.publish(
            "loa/1/rpc/reply/" + m.topic.split("content-ingest/")[1],
            self.identity.envelope(pb.TYPE_CONTENT_ANSWER, answer,
                                   area=signed.area,
                                   message_id=signed.message_id), 1)


@pytest.mark.parametrize("honest", [True, False])
def test_only_what_was_asked_for_is_signed(tmp_path, honest):
    root = new_root()
    ministry = root.authority("ministry", "vn")
    minh = ministry.staff("minh", "vn/08", powers=CONTENT_APPROVE)
    wanted = os.urandom(32)
    with Broker(root) as broker:
        ingest = Ingest(broker, ministry.service("ci", "content-ingest", "vn"))
        ingest.manifest_of = None if honest else os.urandom(32)
        done = subprocess.run(
            [os.path.join(BUILD, "loactl"), "--identity",
             minh.save(str(tmp_path / "minh.id")), "--port", str(broker.port),
             "--lang", "en", "content", "approve", wanted.hex()],
            capture_output=True, text=True, timeout=60, check=False)
    if honest:
        assert done.returncode == 0, done.stderr
        body = content.ContentManifest.FromString(ingest.approvals[0].body)
        assert body.content_hash == wanted
    else:
        assert done.returncode != 0 and "another content" in done.stderr
        assert not ingest.approvals


def sound(folder, hz):
    """(content hash, pre-skip, Ogg Opus file) of three seconds of a tone."""
    wav, frames, ogg = (str(folder / f"{hz}.{x}")
                        for x in ("wav", "frames", "opus"))
    t = np.arange(3 * loa_sound.RATE_HZ) / loa_sound.RATE_HZ
    loa_sound.wav_write(wav, 0.3 * np.sin(2 * np.pi * hz * t))
    for args in (["audio", wav, frames], ["export", frames, ogg]):
        subprocess.run([os.path.join(BUILD, "loa-encode"), *args], check=True,
                       capture_output=True)
    with open(frames, "rb") as f:
        made = f.read()
    with open(ogg, "rb") as f:
        return (hashlib.blake2b(b"loa/1/content" + made[24:],
                                digest_size=32).digest(),
                struct.unpack(">H", made[14:16])[0], f.read())


def ogg_crc(page):
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = crc << 1 ^ (0x04c11db7 if crc & 0x80000000 else 0)
            crc &= 0xffffffff
    return crc


def edited(ogg, page_i, edit):
    """The file with one page changed, and its checksum right again."""
    at = [i for i in range(len(ogg)) if ogg.startswith(b"OggS", i)]
    at.append(len(ogg))
    page = bytearray(ogg[at[page_i]:at[page_i + 1]])
    edit(page)
    page[22:26] = bytes(4)
    page[22:26] = struct.pack("<I", ogg_crc(page))
    return ogg[:at[page_i]] + bytes(page) + ogg[at[page_i + 1]:]


def put(page, at, value):
    page[at:at + len(value)] = value


def test_what_an_approver_hears_is_the_content(tmp_path):
    """An export is another sound, or plays otherwise than it hashes."""
    wanted, pre_skip, good = sound(tmp_path, 440)
    _, _, other = sound(tmp_path, 880)
    cases = {
        "good": (good, True),
        "another sound": (other, False),
        "cut short": (good[:len(good) // 2], False),
        "another one behind it": (good + other, False),
        "bytes behind it": (good + b"x", False),
        "a gain": (edited(good, 0, lambda p: put(p, 28 + 16, b"\0\x80")),
                   False),
        "more is skipped": (edited(good, 0, lambda p: put(
            p, 28 + 10, struct.pack("<H", 48000))), False),
        "it ends early": (edited(good, 3, lambda p: put(
            p, 6, struct.pack("<q", 960))), False),
        "one bit": (edited(good, 2, lambda p: put(
            p, len(p) - 1, bytes([p[-1] ^ 1]))), False),
        "empty": (b"", False),
    }
    root = new_root()
    ministry = root.authority("ministry", "vn")
    minh = ministry.staff("minh", "vn/08", powers=CONTENT_APPROVE)
    identity = minh.save(str(tmp_path / "minh.id"))
    with Broker(root) as broker:
        ingest = Ingest(broker, ministry.service("ci", "content-ingest", "vn"))
        ingest.pre_skip = pre_skip
        for name, (ingest.file, fine) in cases.items():
            out = tmp_path / "heard.opus"
            done = subprocess.run(
                [os.path.join(BUILD, "loactl"), "--identity", identity,
                 "--port", str(broker.port), "--lang", "en", "content",
                 "export", wanted.hex(), str(out)],
                capture_output=True, text=True, timeout=60, check=False)
            assert (done.returncode == 0) == fine, (name, done.stderr)
            assert out.exists() == fine, name
            if fine:
                assert out.read_bytes() == good
                out.unlink()


def test_refused_export_takes_the_old_file(tmp_path):
    """Whoever had a file of this name lost it to an export that failed."""
    wanted, pre_skip, good = sound(tmp_path, 440)
    root = new_root()
    ministry = root.authority("ministry", "vn")
    identity = ministry.staff("minh", "vn/08", powers=CONTENT_APPROVE).save(
        str(tmp_path / "minh.id"))
    out = tmp_path / "đã nghe.opus"
    with Broker(root) as broker:
        ingest = Ingest(broker, ministry.service("ci", "content-ingest", "vn"))
        ingest.pre_skip = pre_skip
        for ingest.file, fine in ((good[:len(good) // 2], False),
                                  (good, True)):
            out.write_bytes(b"old")
            done = subprocess.run(
                [os.path.join(BUILD, "loactl"), "--identity", identity,
                 "--port", str(broker.port), "content", "export", "--force",
                 wanted.hex(), str(out)],
                capture_output=True, text=True, timeout=60, check=False)
            assert (done.returncode == 0) == fine, done.stderr
            assert out.read_bytes() == (good if fine else b"old")
            assert not (tmp_path / "đã nghe.opus.part").exists()


def test_short_id_of_a_ground_twin_approves_nothing(tmp_path):
    """Eight digits were enough to approve, and can be ground: another sound
    with the same beginning was signed. The file that was heard says which."""
    wanted, pre_skip, good = sound(tmp_path, 440)
    root = new_root()
    ministry = root.authority("ministry", "vn")
    minh = ministry.staff("minh", "vn/08", powers=CONTENT_APPROVE)
    identity = minh.save(str(tmp_path / "minh.id"))
    heard, bent = tmp_path / "đã nghe.opus", tmp_path / "bent.opus"
    heard.write_bytes(good)
    bent.write_bytes(edited(good, 0, lambda p: put(p, 28 + 16, b"\0\x80")))
    with Broker(root) as broker:
        ingest = Ingest(broker, ministry.service("ci", "content-ingest", "vn"))
        ingest.pre_skip = pre_skip

        def approve(what):
            return subprocess.run(
                [os.path.join(BUILD, "loactl"), "--identity", identity,
                 "--port", str(broker.port), "--lang", "en", "content",
                 "approve", what], capture_output=True, text=True, timeout=60,
                check=False)
        for short in wanted.hex()[:8], wanted.hex()[:63]:
            done = approve(short)
            assert done.returncode == 2 and "all 64 digits" in done.stderr
        done = approve(str(bent))
        assert done.returncode == 2 and "not a file" in done.stderr
        ingest.pre_skip = pre_skip + 1      # A manifest that skips more.
        done = approve(str(heard))
        assert done.returncode == 4 and "do not approve" in done.stderr
        assert not ingest.approvals
        ingest.pre_skip = pre_skip
        done = approve(str(heard))
        assert done.returncode == 0, done.stderr
    body = content.ContentManifest.FromString(ingest.approvals[0].body)
    assert body.content_hash == wanted and len(ingest.approvals) == 1
