"""loa-speaker before it is anybody: first boot, false registries, settings."""
import os
import subprocess
import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

import loa_identity as li
from loa_broker import wait_until
from loa_identity import base64url, blake2b, pb, registry as rpb
from speaker_rig import AREA, SPEAKER, Rig, Speaker, speechlike

CODE = "8GKP-3VHB-0ZN4-QYTM"


class Registry:
    """Answers EnrolRequests as the registry does."""

    def __init__(self, rig, code=CODE, root=None, refuse=None, signer=None,
                 device="pole_7", proof_code=None):
        self.rig, self.refuse = rig, refuse
        self.root = root or rig.root.key
        self.signer = signer or rig.registry
        self.key = blake2b(code.replace("-", "").encode())
        self.proof_key = blake2b(
            (proof_code or code).replace("-", "").encode())
        self.device = device
        self.requests, self.came = [], []
        c = self.client = mqtt.Client(client_id="registry",
                                      protocol=mqtt.MQTTv5)
        c.on_message = self.on_message
        c.on_connect = lambda *_: c.subscribe("loa/1/rpc/registry/enrol/+", 1)
        c.connect("127.0.0.1", rig.port)
        c.loop_start()
        wait_until(c.is_connected, "registry connected")

    def on_message(self, _c, _d, msg):
        signed, e = li.open_envelope(msg.payload)
        assert signed.type == pb.TYPE_ENROL and signed.area == "enrol"
        r = rpb.EnrolRequest.FromString(signed.body)
        assert e.signatures[0].key == r.key and not e.certificates
        self.requests.append(r)
        self.came.append(time.monotonic())
        good = r.proof == blake2b(
            b"loa/1/enrol\0" + r.device.encode() + b"\0" + r.serial.encode()
            + b"\0" + r.key, key=self.key)
        answer = rpb.RegistryAnswer()
        if not good or self.refuse:
            answer.status.code = pb.Status.CODE_NOT_ALLOWED
            answer.status.text_vi = "Mã không đúng hoặc đã hết hạn."
            answer.status.text_en = "The code is wrong or has expired."
        else:
            child = self.rig.province.device(self.device, AREA, key=r.key)
            answer.enrolment = rpb.Enrolment(
                certificates=child.certificates, root=self.root,
                proof=blake2b(b"loa/1/enrolled\0" + r.key + self.root,
                              key=self.proof_key)).SerializeToString()
        props = Properties(PacketTypes.PUBLISH)
        props.CorrelationData = msg.properties.CorrelationData
        self.client.publish(
            msg.properties.ResponseTopic,
            self.signer.envelope(pb.TYPE_REGISTRY_ANSWER, answer,
                                 area="vn/08"), 1, properties=props)

    def close(self):
        self.client.loop_stop()
        self.client.disconnect()


class Newcomer(Speaker):
    """A device that knows nothing but a code."""

    def __init__(self, rig, *options):
        super().__init__(rig, "pole_7", AREA, start=False,
                         options=["--device", "pole_7", "--serial", "SN-7",
                                  "--code", CODE.lower(), *options])
        os.unlink(os.path.join(self.data, "identity"))
        rig.speakers.append(self)
        self.start()


def test_enrols_and_plays():
    with Rig() as rig:
        registry = Registry(rig)
        pole = Newcomer(rig, "--root", base64url(rig.root.key)).wait_online()
        assert len(registry.requests) == 1
        path = os.path.join(pole.data, "identity")
        assert os.stat(path).st_mode & 0o777 == 0o600
        with open(os.path.join(pole.data, "enrolled"), encoding="utf-8") as f:
            assert f.read() == f"pole_7 {AREA}\n"
        registry.close()
        pole.stop()
        rig.states.clear()
        pole.start()  # Without the registry: it is itself now.
        pole.wait_online()
        content = rig.content(speechlike(1))
        b = rig.bulletin(content, rig.soon(2))
        rig.publish_programme(AREA, [b])
        rig.push(content, AREA)
        pole.wait_receipt("FINISHED", b.id)


@pytest.mark.parametrize("case,what", [
    ("code", "The code is wrong or has expired."),
    ("root", "names another root"),
    ("proof", "does not know the code"),
    ("signer", "is not the registry's"),
    ("service", "is not the registry's"),
    ("power", "is not the registry's: power"),
    ("device", "for another device"),
])
def test_false_enrolments(case, what):
    with Rig() as rig:
        evil = li.new_root()
        options = {
            "code": dict(refuse=True),
            "root": dict(root=evil.key),
            "proof": dict(proof_code="0000-0000-0000-0000"),
            "signer": dict(signer=evil.service("registry_08", "registry",
                                               "vn/08")),
            "service": dict(signer=rig.scheduler),
            "power": dict(signer=rig.province.service(
                "registry_09", "registry", "vn/08")),
            "device": dict(device="pole_8"),
        }[case]
        registry = Registry(rig, **options)
        pole = Newcomer(rig, "--root", base64url(rig.root.key))
        pole.wait_log(what)
        assert not os.path.exists(os.path.join(pole.data, "enrolled"))
        assert not pole.online()
        assert pole.process.poll() is None  # It keeps asking.
        registry.close()


def test_wrong_code_backs_off():
    """It asked for ever at the pace of a lost answer, and at once after every
    reconnect."""
    with Rig() as rig:
        registry = Registry(rig, refuse=True)
        pole = Newcomer(rig, "--root", base64url(rig.root.key))
        pole.wait_log("refused_n=1 again_in_s=15")
        rig.stop_broker()
        rig.start_broker()
        wait_until(lambda: pole.log().count("event=mqtt.connected") == 2,
                   "connected again")
        registry.refuse = False  # The code is good now, and it finds out.
        pole.wait_online()
        assert len(registry.requests) == 2
        first, second = registry.came
        assert second - first > 10  # The pace of before was 5 s.
        registry.close()


def test_settings_are_checked(tmp_path):
    for argv, sentence in [
            (["--output", "mp3:x"], "want wav:PATH or alsa:DEVICE"),
            (["--output", "wav:x", "--volume", "101"], "want a number"),
            (["--output", "wav:x", "--place-offset-ms", "1s"], "-60000"),
            (["--output", "wav:x", "--clock", "sun"], "want system or none"),
            (["--output", "wav:x", "--device", "a/b"], "letters"),
            (["--output", "wav:x", "--root", "abc"], "base64url"),
            (["--output", "wav:" + str(tmp_path / "x"), "--data-dir",
              str(tmp_path / "d")], "not enrolled"),
            (["--output", "wav:x", "--data-dir", "/proc/nothing"],
             "data directory")]:
        r = subprocess.run([SPEAKER] + argv, capture_output=True, text=True,
                           timeout=60, check=False)
        assert r.returncode != 0 and sentence in r.stderr, (argv, r.stderr)
    r = subprocess.run([SPEAKER, "--help"], capture_output=True, text=True,
                       timeout=60, check=False)
    assert r.returncode == 0 and "--place-offset-ms" in r.stdout
