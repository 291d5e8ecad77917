"""Keys, certificates, envelopes and MQTT passwords, made without Loa's C code.

Written from proto/loa/v1/*.proto alone (python3-nacl, python3-protobuf), so
that a test which mixes these with the C programs also checks the wire format.

    root = new_root()
    province = root.authority("province_08", "vn/08")
    lan = province.staff("lan", "vn/08/070", powers=SCHEDULE | COMMAND)
    scheduler = province.service("scheduler_08", "scheduler", "vn/08")
    pole = province.device("pole_1", "vn/08/070/02215")
    client.username_pw_set("lan", lan.password(broker="loa"))
    lan.save("lan.identity")             # the file of proto/identity.h

    python3 loa_identity.py DIR          # a small set of identity files
"""
import base64
import hashlib
import os
import subprocess
import sys
import tempfile
import time

import nacl.signing

ROOT_DIR = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
GEN_DIR = os.path.join(ROOT_DIR, "build", "gen-py")


def _generate():
    """protoc --python_out into build/gen-py, when it is missing or old."""
    src = os.path.join(ROOT_DIR, "proto", "loa", "v1")
    out = os.path.join(GEN_DIR, "loa", "v1")
    protos = sorted(f for f in os.listdir(src) if f.endswith(".proto"))

    def stale(name):
        made = os.path.join(out, name[:-6] + "_pb2.py")
        return (not os.path.exists(made) or os.path.getmtime(made)
                < os.path.getmtime(os.path.join(src, name)))

    if not any(stale(p) for p in protos):
        return
    os.makedirs(out, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=GEN_DIR) as tmp:
        subprocess.run(
            ["protoc", "-I", os.path.join(ROOT_DIR, "proto"),
             "--python_out", tmp] + [os.path.join(src, p) for p in protos],
            check=True)
        made = os.path.join(tmp, "loa", "v1")
        for name in os.listdir(made):
            os.replace(os.path.join(made, name), os.path.join(out, name))


_generate()
sys.path.insert(0, GEN_DIR)
from loa.v1 import content_pb2 as content  # noqa: E402,F401
from loa.v1 import device_pb2 as device  # noqa: E402,F401
from loa.v1 import envelope_pb2 as pb  # noqa: E402
from loa.v1 import programme_pb2 as programme  # noqa: E402,F401
from loa.v1 import registry_pb2 as registry  # noqa: E402,F401
from loa.v1 import services_pb2 as services  # noqa: E402,F401

EMERGENCY_ORIGINATE = pb.POWER_EMERGENCY_ORIGINATE
EMERGENCY_APPROVE = pb.POWER_EMERGENCY_APPROVE
LIVE = pb.POWER_LIVE
SCHEDULE = pb.POWER_SCHEDULE
CONTENT_APPROVE = pb.POWER_CONTENT_APPROVE
COMMAND = pb.POWER_COMMAND
CONFIG = pb.POWER_CONFIG
DELEGATE = pb.POWER_DELEGATE
REVOKE = pb.POWER_REVOKE
TIME = pb.POWER_TIME
DRILL = pb.POWER_DRILL
ALL = 2047

DAY_MS = 86400 * 1000
LOGIN_MS = 60000


def now_ms():
    return time.time_ns() // 1000000


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def blake2b(data, key=b""):
    return hashlib.blake2b(data, digest_size=32, key=key).digest()


def signed_input(type_name, data):
    """What a signature is made over: domain, type, NUL, the exact bytes."""
    return b"loa/1/" + type_name.encode() + b"\0" + data


def type_name(type_):
    return pb.Type.Name(type_)[len("TYPE_"):].lower()


def _certificate(issuer, **fields):
    fields = {"version": 1, "algorithm": 1, "issuer": issuer.key, **fields}
    body = pb.CertificateBody(**fields).SerializeToString()
    return pb.Certificate(
        body=body,
        signature=issuer.sign("certificate", body)).SerializeToString()


def key_number(key):
    """What stands for a key among the serials of a revocation list."""
    digest = hashlib.blake2b(b"loa/1/key\0" + key, digest_size=32).digest()
    return int.from_bytes(digest[:8], "big") | 1 << 63


class Identity:
    """A key and the chain that proves it, leaf first; a root has no chain."""

    def __init__(self, root=None, seed=None):
        self.seed = seed or os.urandom(32)
        self._signing = nacl.signing.SigningKey(self.seed)
        self.key = bytes(self._signing.verify_key)
        self.root = root or self.key
        self.certificates = []
        self.body = pb.CertificateBody()
        self.principal = self.service_name = ""
        self.area = ""
        self.not_before_ms = 0
        self.not_after_ms = 1 << 62
        self.depth = 7
        self.powers = ALL
        self._serial = 0

    # --- certificates

    def issue(self, role, principal, area, powers=0, service="", name="",
              max_depth=0, not_before_ms=None, not_after_ms=None,
              serial=None, key=None, seed=None, **override):
        """A child with its own key (or for `key`, which is somebody else's).

        Nothing here keeps the child within the issuer's rights: tests want to
        make what must be refused. `override` replaces fields of the body."""
        child = Identity(root=self.root, seed=seed)
        if key is not None:
            child.key, child._signing, child.seed = key, None, None
        if serial is None:
            self._serial += 1
            serial = self._serial
        now = now_ms()
        fields = dict(
            serial=serial, subject=child.key, principal=principal,
            name=name or principal, role=role, service=service, area=area,
            powers=powers, max_depth=max_depth,
            not_before_ms=(max(self.not_before_ms, now - DAY_MS)
                           if not_before_ms is None else not_before_ms),
            not_after_ms=(min(self.not_after_ms, now + 365 * DAY_MS)
                          if not_after_ms is None else not_after_ms))
        fields.update(override)
        certificate = _certificate(self, **fields)
        child.body = pb.CertificateBody.FromString(
            pb.Certificate.FromString(certificate).body)
        child.certificates = [certificate] + self.certificates
        child.principal, child.area = principal, area
        child.service_name, child.powers = service, powers
        child.not_before_ms = fields["not_before_ms"]
        child.not_after_ms = fields["not_after_ms"]
        child.depth = max_depth
        return child

    def authority(self, principal, area, powers=None, max_depth=None,
                  **more):
        """Who may issue: with the powers of its own issuer, if none given."""
        powers = self.powers if powers is None else powers
        depth = max(self.depth - 1, 0) if max_depth is None else max_depth
        return self.issue(pb.ROLE_AUTHORITY, principal, area, powers=powers,
                          max_depth=depth, **more)

    def staff(self, principal, area, powers=0, **more):
        return self.issue(pb.ROLE_STAFF, principal, area, powers=powers,
                          **more)

    def service(self, principal, service, area, powers=0, **more):
        return self.issue(pb.ROLE_SERVICE, principal, area, service=service,
                          powers=powers, **more)

    def device(self, principal, area, **more):
        return self.issue(pb.ROLE_DEVICE, principal, area, **more)

    # --- signatures

    def sign(self, name, data):
        return self._signing.sign(signed_input(name, data)).signature

    def envelope(self, type_, body, area=None, ttl_ms=3600000, counter=0,
                 message_id=None, issued_at_ms=None, certificates=True,
                 cosigners=()):
        """An encoded Envelope. body is a message or its bytes."""
        if not isinstance(body, bytes):
            body = body.SerializeToString()
        issued = now_ms() if issued_at_ms is None else issued_at_ms
        signed = pb.Signed(
            type=type_, area=self.area if area is None else area,
            message_id=message_id or os.urandom(16), counter=counter,
            issued_at_ms=issued, expires_at_ms=issued + ttl_ms,
            body=body).SerializeToString()
        e = pb.Envelope(signed=signed)
        for who in (self, *cosigners):
            e.signatures.add(key=who.key,
                             signature=who.sign(type_name(type_), signed))
            for c in who.certificates if certificates else ():
                if c not in e.certificates:
                    e.certificates.append(c)
        return e.SerializeToString()

    def login(self, broker="loa", client_id=None, **more):
        more.setdefault("ttl_ms", LOGIN_MS)
        return self.envelope(
            pb.TYPE_LOGIN,
            pb.Login(broker=broker, client_id=client_id or self.principal),
            **more)

    def password(self, broker="loa", client_id=None, **more):
        """The MQTT password for this client id (default: the principal)."""
        return base64url(self.login(broker, client_id, **more))

    def trust_list(self, number, revoked=(), floors=(), keys=(), area=None,
                   **more):
        """A TRUST envelope. revoked: identities; floors: (issuer, serial);
        keys: identities, revoked by what their key is."""
        body = pb.TrustList(number=number, areas_version=1)
        entries = {}

        def entry(issuer):
            if issuer not in entries:
                entries[issuer] = body.revocations.add(issuer=issuer)
            return entries[issuer]

        for who in revoked:
            entry(who.body.issuer).serials.append(who.body.serial)
        for who in keys:
            entry(who.body.issuer).serials.append(key_number(who.key))
        for issuer, serial in floors:
            entry(getattr(issuer, "key", issuer)).floor_serial = serial
        return self.envelope(pb.TYPE_TRUST, body, area=area, **more)

    # --- the identity file

    def text(self):
        lines = ["loa-identity 1", "root " + base64url(self.root)]
        lines += ["certificate " + base64url(c) for c in self.certificates]
        lines.append("secret " + base64url(self.seed))
        return "\n".join(lines) + "\n"

    def save(self, path):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                  "w", encoding="utf-8") as f:
            f.write(self.text())
        return path


def new_root(seed=None):
    return Identity(seed=seed)


def load(path):
    """The identity of a file that loactl or save() wrote."""
    fields = {}
    with open(path, encoding="utf-8") as f:
        for line in list(f)[1:]:
            name, _, value = line.strip().partition(" ")
            raw = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
            fields.setdefault(name, []).append(raw)
    who = Identity(root=fields.get("root", [None])[0],
                   seed=fields["secret"][0])
    who.certificates = fields.get("certificate", [])
    if who.certificates:
        who.body = pb.CertificateBody.FromString(
            pb.Certificate.FromString(who.certificates[0]).body)
        who.principal, who.area = who.body.principal, who.body.area
        who.service_name, who.powers = who.body.service, who.body.powers
        who.not_before_ms = who.body.not_before_ms
        who.not_after_ms = who.body.not_after_ms
        who.depth = who.body.max_depth
    # Serials of one issuer rise, also over files.
    who._serial = now_ms() * 1000
    return who


def new_enrolling(seed=None):
    """A device before it is enrolled: a key, no chain, no area of its own."""
    who = Identity(root=bytes(32), seed=seed)
    who.principal = "enrol_" + who.key[:12].hex()
    who.area = "enrol"
    return who


def open_envelope(data):
    """(Signed, Envelope); asserts that every signature holds."""
    e = pb.Envelope.FromString(data)
    signed = pb.Signed.FromString(e.signed)
    for s in e.signatures:
        nacl.signing.VerifyKey(s.key).verify(
            signed_input(type_name(signed.type), e.signed), s.signature)
    return signed, e


def main(out):
    os.makedirs(out, exist_ok=True)
    root = new_root()
    province = root.authority("province_08", "vn/08")
    made = {
        "root": root,
        "province": province,
        "staff": province.staff("lan", "vn/08/070", powers=ALL),
        "registry": province.service("registry_08", "registry", "vn/08",
                                     powers=DELEGATE | REVOKE),
        "scheduler": province.service("scheduler_08", "scheduler", "vn/08",
                                      powers=SCHEDULE | TIME),
        "device": province.device("pole_1", "vn/08/070/02215"),
    }
    for name, who in made.items():
        print(who.save(os.path.join(out, name + ".identity")))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: loa_identity.py DIR")
    main(sys.argv[1])
