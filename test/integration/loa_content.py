"""A province with loa-content-ingest for tests: broker with plugin, database,
staff, a scheduler that signs programmes, devices that listen and miss.

    with ContentWorld(pg) as w:
        hash_ = w.lan.upload(data, title="Bản tin").content_hash
        w.approve(hash_)
        w.programme("vn/08/070", [(hash_, start_ms, 5000)])
        pole = w.pole("vn/08/070/07001")
        pole.wait_packets(stream_key, n)
"""
import os
import time

import nacl.signing
from loa_broker import LIMIT_S, PATIENCE, Broker, wait_until
from loa_identity import (CONTENT_APPROVE, DELEGATE, REVOKE, SCHEDULE, TIME,
                          content, device, new_root, now_ms, pb, programme,
                          services, signed_input)
from loa_service import Asker, Service

OK, INVALID, NOT_ALLOWED, NOT_FOUND, CONFLICT, EXISTS, PAST = range(7)
NOT_APPROVED, TOO_LARGE, BUSY, FAILED, EXPIRED, REVOKED, IN_USE = range(7, 14)
RECEIVING, WAITING, ENCODING, DONE, UPLOAD_FAILED = range(1, 6)
AUDIO, TEXT = content.MEDIA_AUDIO, content.MEDIA_TEXT
PART = 48000
DAY = 86400000


class Sender(Asker):
    """Staff: requests to content-ingest, and whole uploads."""

    def ask(self, message_id=None, limit_s=LIMIT_S, **what):
        message_id, _ = self.send("content-ingest", pb.TYPE_CONTENT_REQUEST,
                                  services.ContentRequest(**what), message_id)
        return self.wait(message_id, services.ContentAnswer, limit_s)

    def ask_until(self, limit_s=LIMIT_S, **what):
        """As a real asker does: the same request again until it is answered."""
        message_id = os.urandom(16)
        end = time.monotonic() + limit_s * PATIENCE
        while True:
            self.send("content-ingest", pb.TYPE_CONTENT_REQUEST,
                      services.ContentRequest(**what), message_id)
            try:
                return self.wait(message_id, services.ContentAnswer, 1)
            except Exception:
                if time.monotonic() > end:
                    raise

    def begin(self, size, title="Bản tin sáng", media=AUDIO, language="vi",
              upload_id=None, **more):
        return self.ask(upload_begin=services.UploadBegin(
            upload_id=upload_id or os.urandom(16), media=media, title=title,
            language=language, size=size, **more))

    def part(self, upload_id, offset, data, **more):
        return self.ask(upload_part=services.UploadPart(
            upload_id=upload_id, offset=offset, data=data), **more)

    def send_only(self, upload_id, offset, data):
        """A part whose answer nobody waits for."""
        return self.send("content-ingest", pb.TYPE_CONTENT_REQUEST,
                         services.ContentRequest(
                             upload_part=services.UploadPart(
                                 upload_id=upload_id, offset=offset,
                                 data=data)))

    def send_parts(self, upload_id, data, from_=0, to=None):
        """All parts, 16 on their way at a time."""
        waiting, a = [], None
        for at in range(from_, to or len(data), PART):
            waiting.append(self.send(
                "content-ingest", pb.TYPE_CONTENT_REQUEST,
                services.ContentRequest(upload_part=services.UploadPart(
                    upload_id=upload_id, offset=at,
                    data=data[at:at + PART])))[0])
            if len(waiting) == 16:
                a = self.wait(waiting.pop(0), services.ContentAnswer)
                assert a.status.code == OK, a.status
        for message_id in waiting:
            a = self.wait(message_id, services.ContentAnswer)
            assert a.status.code == OK, a.status
        return a

    def state(self, upload_id, **more):
        return self.ask(find=services.ContentFind(upload_id=upload_id), **more)

    def wait_ended(self, upload_id, limit_s=LIMIT_S):
        """The upload when it is done or has failed."""
        end = time.monotonic() + limit_s * PATIENCE
        while True:
            u = self.state(upload_id).upload
            if u.stage in (DONE, UPLOAD_FAILED):
                return u
            assert time.monotonic() < end, u
            time.sleep(0.02)

    def upload(self, data, limit_s=LIMIT_S, **more):
        if isinstance(data, str):
            data = data.encode()
        a = self.begin(len(data), **more)
        assert a.status.code == OK, a.status
        self.send_parts(a.upload.upload_id, data)
        return self.wait_ended(a.upload.upload_id, limit_s)

    def find(self, hash_=b"", **more):
        return self.ask(find=services.ContentFind(content_hash=hash_, **more))

    def export(self, hash_):
        data = b""
        while True:
            a = self.ask(export=services.ContentExport(
                content_hash=hash_, offset=len(data)))
            assert a.status.code == OK, a.status
            assert a.data_offset == len(data)
            data += a.data
            if len(data) == a.data_size:
                return data
            assert a.data


class Pole:
    """A device: hears packets, checks their signatures, asks for more."""

    def __init__(self, broker, who):
        self.who, self.area = who, who.area
        self.client = broker.connect(who)
        self.heard = {}         # stream key -> {sequence: body}
        self.times = {}         # (stream key, sequence) -> [monotonic]
        self.topics = set()
        self.client.mqtt.on_message = self._on_message
        parts = who.area.split("/")
        for n in range(1, len(parts) + 1):
            assert self.client.subscribe(
                "loa/1/down/+/" + "/".join(parts[:n])) == 1

    def _on_message(self, _c, _u, m):
        if not m.topic.startswith("loa/1/down/content/"):
            return
        p = content.AudioPacket.FromString(m.payload)
        body = content.AudioPacketBody.FromString(p.signed)
        nacl.signing.VerifyKey(body.stream_key).verify(
            signed_input("packet", p.signed), p.signature)
        self.topics.add(m.topic)
        self.times.setdefault((body.stream_key, body.sequence), []).append(
            time.monotonic())
        self.heard.setdefault(body.stream_key, {})[body.sequence] = body

    def count(self, stream_key):
        return len(self.heard.get(stream_key, {}))

    def wait_packets(self, stream_key, n, limit_s=LIMIT_S):
        wait_until(lambda: self.count(stream_key) >= n,
                   f"{self.who.principal} has {n} packets", limit_s)
        return self.heard[stream_key]

    def want(self, stream_key, *ranges):
        self.client.publish(
            f"loa/1/up/want/{self.area}/@{self.who.principal}",
            device_want(stream_key, ranges), qos=0)

    def forget(self):
        self.heard.clear()
        self.times.clear()


def device_want(stream_key, ranges):
    return content.Want(streams=[content.WantStream(
        stream_key=stream_key,
        ranges=[n for pair in ranges for n in pair])]).SerializeToString()


def content_hash_of(bodies):
    """As content.proto says it, from packets in order."""
    import hashlib
    h = hashlib.blake2b(b"loa/1/content", digest_size=32)
    for sequence in range(len(bodies)):
        for f in bodies[sequence].frames:
            h.update(len(f).to_bytes(2, "big") + f)
    return h.digest()


class ContentWorld:
    def __init__(self, pg, *options, start=True, **env):
        """A new province, and a database that has forgotten the last one."""
        pg.query("TRUNCATE content.upload, content.content, content.packet, "
                 "content.trash, content.programme, content.inbox, "
                 "content.trust_list CASCADE")
        self.pg, self.root = pg, new_root()
        self.province = self.root.authority("province_08", "vn/08")
        self.service_id = self.province.service(
            "content_08", "content-ingest", "vn/08")
        self.scheduler_id = self.province.service(
            "scheduler_08", "scheduler", "vn/08", powers=SCHEDULE | TIME)
        self.registry_id = self.province.service(
            "registry_08", "registry", "vn/08", powers=DELEGATE | REVOKE)
        self.minh_id = self.province.staff("minh", "vn/08",
                                           powers=CONTENT_APPROVE)
        self.lan_id = self.province.staff("lan", "vn/08/070", powers=SCHEDULE)
        self.broker = Broker(self.root).start()
        self.service = Service("content-ingest", self.service_id, pg,
                               self.broker, *options, schema="content",
                               env=env)
        self.service.argv += ["--work-dir",
                              os.path.join(self.service.folder, "work"),
                              "--free-bytes-min", "0"] if (
            "--free-bytes-min" not in options) else [
                "--work-dir", os.path.join(self.service.folder, "work")]
        if start:
            self.service.start()
        self.lan = self.sender(self.lan_id)
        self.minh = self.sender(self.minh_id)
        self.scheduler = self.broker.connect(self.scheduler_id)
        self.versions, self.items, self.approvals = {}, {}, {}

    def sender(self, who):
        return Sender(self.broker.connect(who), who)

    def pole(self, area, name=None):
        return Pole(self.broker, self.province.device(
            name or "pole_" + os.urandom(4).hex(), area))

    def content(self, hash_):
        """(Content, ContentManifest) as minh sees it."""
        a = self.minh.find(hash_)
        assert a.status.code == OK, a.status
        return a.contents[0], content.ContentManifest.FromString(
            a.contents[0].manifest)

    def approval(self, hash_, who=None, area="vn/08", ttl_ms=30 * DAY,
                 manifest=None, **more):
        if manifest is None:
            manifest = self.content(hash_)[0].manifest
        return (who or self.minh_id).envelope(
            pb.TYPE_APPROVAL, manifest, area=area, ttl_ms=ttl_ms, **more)

    def approve(self, hash_, asker=None, **more):
        return (asker or self.minh).ask(approve=services.ContentApprove(
            approval=self.approval(hash_, **more)))

    def add_approval(self, body, hash_):
        """Minh's, as a programme carries it: the certificates once for all."""
        if hash_ not in self.approvals:
            self.approvals[hash_] = self.approval(
                hash_, manifest=content.ContentManifest(content_hash=hash_),
                certificates=False)
        if self.approvals[hash_] not in body.approvals:
            body.approvals.append(self.approvals[hash_])
        if not body.certificates:
            body.certificates.extend(self.minh_id.certificates)

    def programme(self, area, items, version=None, ttl_ms=DAY, who=None,
                  publish=True):
        """items: (content hash, start ms, duration ms)."""
        version = version or max(self.versions.get(area, 0) + 1, now_ms())
        self.versions[area], self.items[area] = version, list(items)
        body = programme.Programme(version=version)
        for hash_, start_ms, duration_ms in items:
            b = body.bulletins.add(bulletin_id=os.urandom(16),
                                   content_hash=hash_, duration_ms=duration_ms,
                                   starts_at_ms=[start_ms], title="x")
            setattr(b, "class", 1)
            self.add_approval(body, hash_)
        envelope = (who or self.scheduler_id).envelope(
            pb.TYPE_PROGRAMME, body, area=area, ttl_ms=ttl_ms)
        if publish:
            assert self.scheduler.publish(f"loa/1/down/programme/{area}",
                                          envelope, retain=True) in (0, 0x10)
        return envelope

    def let_go(self, who=None, **status):
        """From now on the scheduler lets every content go, or says status."""
        def on_message(_c, _u, m):
            asked = pb.Signed.FromString(
                pb.Envelope.FromString(m.payload).signed)
            answer = services.SchedulerAnswer(status=pb.Status(**status))
            self.scheduler.mqtt.publish(
                m.topic.replace("/rpc/scheduler/", "/rpc/reply/"),
                (who or self.scheduler_id).envelope(
                    pb.TYPE_SCHEDULER_ANSWER, answer,
                    message_id=asked.message_id), 1)

        self.scheduler.mqtt.on_message = on_message
        assert self.scheduler.subscribe("loa/1/rpc/scheduler/vn/08/#") == 1

    def close(self):
        code = self.service.stop()      # None: it had ended before.
        print(self.service.log())       # pytest shows it when a test fails
        self.service.remove()
        self.broker.__exit__()
        assert code in (0, None), code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

