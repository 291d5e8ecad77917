"""loactl against a content-ingest that is not our friend: what an approver
signs is what the approver asked for."""
import os
import subprocess

import pytest

from loa_broker import BUILD, Broker
from loa_identity import (CONTENT_APPROVE, content, new_root, open_envelope,
                          pb, services)


class Ingest:
    """Shows a content with the manifest of the sound it is told to."""

    def __init__(self, broker, identity):
        self.identity, self.manifest_of = identity, None
        self.approvals = []
        self.client = broker.connect(identity)
        self.client.mqtt.on_message = self._on_message
        assert self.client.subscribe("loa/1/rpc/content-ingest/vn/#") == 1

    def _on_message(self, _client, _data, m):
        signed, _ = open_envelope(m.payload)
        q = services.ContentRequest.FromString(signed.body)
        answer = services.ContentAnswer(status=pb.Status())
        if q.WhichOneof("what") == "approve":
            self.approvals.append(open_envelope(q.approve.approval)[0])
        else:
            answer.contents.add(
                content_hash=q.find.content_hash,
                manifest=content.ContentManifest(
                    content_hash=self.manifest_of or q.find.content_hash,
                    stream_key=os.urandom(32), title="Bản tin",
                    packets_n=1, frames_n=10, duration_ms=200,
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
