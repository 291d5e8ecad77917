"""The wire format and the decision, against another implementation.

What Python makes from the .proto files alone (loa_identity.py: PyNaCl and
python3-protobuf), the C code must read, believe or refuse, and the other way
round. judge() below says docs/trust.md again in Python; hundreds of seeded
random cases must end with the same verdict on both sides.
"""
import os
import random
import subprocess

import nacl.exceptions
import nacl.signing
import pytest

import loa_identity as loa
from loa_identity import pb

BUILD = os.path.join(loa.ROOT_DIR, os.environ.get("LOA_BUILD", "build/plain"))
TOOL = os.path.join(BUILD, "test", "integration", "envelope_tool")
NOW = 1790000000000
MINUTE, HOUR, DAY = 60000, 3600000, 86400000
SKEW = 120000
ID = bytes(range(16))


class Tool:
    def __init__(self):
        subprocess.run(["make", "-s", "B=" + os.path.relpath(BUILD, loa.ROOT_DIR),
                        os.path.relpath(TOOL, loa.ROOT_DIR)],
                       cwd=loa.ROOT_DIR, check=True)
        self.child = subprocess.Popen([TOOL], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)

    def __call__(self, *args):
        words = [a.hex() or "-" if isinstance(a, bytes) else str(a)
                 for a in args]
        self.child.stdin.write(" ".join(words) + "\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().rstrip("\n")

    def verify(self, type_, envelope, now=NOW, time=True, area="-",
               signer_area="-", extra=()):
        return self("verify", type_, now, int(time), area, signer_area,
                    envelope, *extra).split(" ")

    def close(self):
        self.child.stdin.close()
        assert self.child.wait(10) == 0


@pytest.fixture(scope="module")
def tool():
    t = Tool()
    yield t
    t.close()


def span(**more):
    return dict(dict(not_before_ms=NOW - 10 * DAY,
                     not_after_ms=NOW + 10 * DAY), **more)


class Network:
    def __init__(self):
        self.root = loa.new_root(seed=bytes([1]) * 32)
        self.province = self.root.authority("province", "vn/08", **span())
        self.other = self.root.authority("other", "vn/09", **span())
        self.commune = self.province.authority("commune", "vn/08/070", **span())
        self.lan = self.commune.staff(
            "lan", "vn/08/070", powers=loa.ALL & ~loa.DRILL,
            name="Nguyễn Thị Lan", **span())
        self.minh = self.province.staff("minh", "vn/08", powers=loa.COMMAND,
                                        **span())
        self.registry = self.province.service(
            "registry", "registry", "vn/08", powers=loa.REVOKE | loa.DELEGATE,
            max_depth=1, **span())
        self.scheduler = self.province.service(
            "scheduler", "scheduler", "vn/08", powers=loa.SCHEDULE | loa.TIME,
            **span())
        self.pole = self.registry.device("pole_1", "vn/08/070/02215", **span())
        self.drill = self.province.staff("drill", "vn/08", powers=loa.ALL,
                                         **span())
        self.thief = self.other.staff("thief", "vn/09",
                                      powers=loa.ALL & ~loa.DRILL, **span())
        self.people = [self.lan, self.minh, self.registry, self.scheduler,
                       self.pole, self.drill, self.thief, self.commune]


@pytest.fixture(scope="module")
def net():
    return Network()


@pytest.fixture
def store(tool, net):
    assert tool("root", net.root.key) == "ok"
    return tool


# --- Python makes, C reads ----------------------------------------------------


def test_c_believes_python(store, net):
    for who, type_, area in [
            (net.lan, pb.TYPE_APPROVAL, "vn/08/070/02215"),
            (net.lan, pb.TYPE_COMMAND, "vn/08/070"),
            (net.scheduler, pb.TYPE_PROGRAMME, "vn/08/070"),
            (net.scheduler, pb.TYPE_HEAD, "vn/08"),
            (net.pole, pb.TYPE_RECEIPTS, "vn/08/070/02215"),
            (net.lan, pb.TYPE_SCHEDULER_REQUEST, "vn/08/070"),
            (net.scheduler, pb.TYPE_SCHEDULER_ANSWER, "vn/08")]:
        e = who.envelope(type_, b"body", area=area, ttl_ms=MINUTE,
                         issued_at_ms=NOW)
        assert store.verify(type_, e) == ["ok", who.principal]


def test_one_key_cannot_turn_both_locks(store, net):
    both = net.province.staff("both", "vn/08",
                              powers=loa.SCHEDULE | loa.CONTENT_APPROVE,
                              **span())
    for type_, verdict in [(pb.TYPE_APPROVAL, "ok"),
                           (pb.TYPE_PROGRAMME, "power")]:
        e = both.envelope(type_, b"", issued_at_ms=NOW)
        assert store.verify(type_, e)[0] == verdict


def test_c_believes_two_signatures(store, net):
    e = net.lan.envelope(pb.TYPE_COMMAND, b"", area="vn/08/070",
                         issued_at_ms=NOW, cosigners=[net.minh])
    assert store.verify(pb.TYPE_COMMAND, e) == ["ok", "lan"]


def test_certificates_from_elsewhere(store, net):
    e = net.lan.envelope(pb.TYPE_APPROVAL, b"", issued_at_ms=NOW,
                         certificates=False)
    assert store.verify(pb.TYPE_APPROVAL, e)[0] == "no-certificate"
    assert store.verify(pb.TYPE_APPROVAL, e,
                        extra=net.lan.certificates)[0] == "ok"


def test_c_takes_lists(store, net):
    e = net.lan.envelope(pb.TYPE_COMMAND, b"", issued_at_ms=NOW)
    first = net.registry.trust_list(1, issued_at_ms=NOW)
    second = net.registry.trust_list(2, revoked=[net.lan], issued_at_ms=NOW)
    third = net.registry.trust_list(
        3, floors=[(net.commune, net.lan.body.serial)], issued_at_ms=NOW)
    fourth = net.registry.trust_list(
        4, floors=[(net.commune, net.lan.body.serial + 1)], issued_at_ms=NOW)
    fifth = net.registry.trust_list(5, keys=[net.minh], issued_at_ms=NOW)
    sixth = net.registry.trust_list(6, keys=[net.lan], issued_at_ms=NOW)
    narrow = net.lan.trust_list(9, issued_at_ms=NOW)
    for trust_list, verdict, number, then in [
            (first, "ok", 1, "ok"), (second, "ok", 2, "revoked"),
            (first, "replayed", 2, "revoked"), (third, "ok", 3, "ok"),
            (narrow, "area", 3, "ok"), (fourth, "ok", 4, "revoked"),
            (fifth, "ok", 5, "ok"), (sixth, "ok", 6, "revoked")]:
        assert store("update", NOW, 1, trust_list) == f"{verdict} {number}"
        assert store.verify(pb.TYPE_COMMAND, e)[0] == then


def test_enrolling(store, net):
    who = loa.new_enrolling()
    e = who.envelope(pb.TYPE_ENROL, loa.registry.EnrolRequest(device="pole_2"))
    assert store("self", e) == "1"
    assert store("self", e[:-1] + bytes([e[-1] ^ 1])) == "0"
    assert store("self", net.lan.envelope(pb.TYPE_ENROL, b"")) == "0"
    assert store.verify(pb.TYPE_ENROL, e)[0] == "wrong-type"


def test_packets(tool):
    stream = loa.new_root()
    frames = [bytes([i + 1]) * (40 + i) for i in range(10)]
    body = loa.content.AudioPacketBody(stream_key=stream.key, sequence=77,
                                       frames=frames).SerializeToString()
    packet = loa.content.AudioPacket(
        signed=body, signature=stream.sign("packet", body)).SerializeToString()
    assert tool("packet", packet) == "77 10 1"
    bent = packet.replace(frames[3], frames[2] + b"!")
    assert tool("packet", bent) == "77 10 0"
    want = loa.blake2b(b"loa/1/content" + b"".join(
        len(f).to_bytes(2, "big") + f for f in frames)).hex()
    assert tool("content", *frames) == want


# --- C makes, Python reads ----------------------------------------------------


def take(tool, who):
    assert tool("identity", who.text().encode()).startswith("0 ")


def test_python_reads_c(tool, net):
    take(tool, net.lan)
    data = bytes.fromhex(tool("seal", pb.TYPE_COMMAND, "vn/08/070", ID, 7, NOW,
                              NOW + MINUTE, "chào".encode()))
    signed, e = loa.open_envelope(data)
    assert signed == pb.Signed(
        type=pb.TYPE_COMMAND, area="vn/08/070", message_id=ID, counter=7,
        issued_at_ms=NOW, expires_at_ms=NOW + MINUTE, body="chào".encode())
    assert [s.key for s in e.signatures] == [net.lan.key]
    assert list(e.certificates) == net.lan.certificates
    assert data == net.lan.envelope(
        pb.TYPE_COMMAND, "chào".encode(), area="vn/08/070", message_id=ID,
        counter=7, issued_at_ms=NOW, ttl_ms=MINUTE), "byte for byte"


def test_python_reads_a_password(tool, net):
    import base64
    take(tool, net.pole)
    text = tool("password", "broker_08", "pole_1", ID, NOW)
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    signed, _ = loa.open_envelope(data)
    assert signed.type == pb.TYPE_LOGIN
    assert signed.area == "vn/08/070/02215"
    assert signed.expires_at_ms - signed.issued_at_ms == loa.LOGIN_MS
    assert pb.Login.FromString(signed.body) == pb.Login(
        broker="broker_08", client_id="pole_1")


def test_identity_files_are_the_same(tool, net):
    for who in net.people + [net.root]:
        take(tool, who)
        assert bytes.fromhex(tool("format")).decode() == who.text()


def test_python_reads_a_certificate(tool, net):
    take(tool, net.province)
    key = nacl.signing.SigningKey(bytes([9]) * 32).verify_key.encode()
    made = pb.Certificate.FromString(bytes.fromhex(
        tool("issue", "loa_1", pb.ROLE_SERVICE, "scheduler", "vn/08/070", 520,
             0, 2**64 - 1, NOW, NOW + DAY, key, "Lịch phát".encode())))
    nacl.signing.VerifyKey(net.province.key).verify(
        loa.signed_input("certificate", made.body), made.signature)
    assert pb.CertificateBody.FromString(made.body) == pb.CertificateBody(
        version=1, algorithm=1, serial=2**64 - 1, issuer=net.province.key,
        subject=key, principal="loa_1", name="Lịch phát", role=pb.ROLE_SERVICE,
        service="scheduler", area="vn/08/070", powers=520, not_before_ms=NOW,
        not_after_ms=NOW + DAY)
    assert tool("issue", "loa_1", pb.ROLE_STAFF, "scheduler", "vn", 0, 0, 1,
                NOW, NOW + DAY, key, b"x").startswith("error ")


def test_python_reads_a_packet(tool):
    stream = loa.new_root()
    take(tool, stream)
    p = loa.content.AudioPacket.FromString(
        bytes.fromhex(tool("frames", 5, b"abc", b"defg")))
    nacl.signing.VerifyKey(stream.key).verify(
        loa.signed_input("packet", p.signed), p.signature)
    assert loa.content.AudioPacketBody.FromString(p.signed) == \
        loa.content.AudioPacketBody(stream_key=stream.key, sequence=5,
                                    frames=[b"abc", b"defg"])


# --- the decision, said again -------------------------------------------------

STAFF, SERVICE, DEVICE = pb.ROLE_STAFF, pb.ROLE_SERVICE, pb.ROLE_DEVICE
REQUEST = ({STAFF, SERVICE}, 0, None, DAY)
POLICY = {  # type: roles, powers, service, longest life
    pb.TYPE_LOGIN: ({STAFF, SERVICE, DEVICE, pb.ROLE_BRIDGE}, 0, None,
                    10 * MINUTE),
    pb.TYPE_APPROVAL: ({STAFF}, loa.CONTENT_APPROVE, None, None),
    pb.TYPE_PROGRAMME: ({STAFF, SERVICE}, loa.SCHEDULE, "scheduler", None),
    pb.TYPE_HEAD: ({SERVICE}, loa.SCHEDULE | loa.TIME, "scheduler", HOUR),
    pb.TYPE_COMMAND: ({STAFF, SERVICE}, loa.COMMAND, None, DAY),
    pb.TYPE_TRUST: ({STAFF, SERVICE}, loa.REVOKE, "registry", None),
    pb.TYPE_RECEIPTS: ({DEVICE}, 0, None, None),
    pb.TYPE_ACK: ({SERVICE}, 0, "telemetry-collector", None),
    pb.TYPE_REGISTRY_REQUEST: REQUEST,
    pb.TYPE_CONTENT_REQUEST: REQUEST,
    pb.TYPE_SCHEDULER_REQUEST: REQUEST,
    pb.TYPE_TELEMETRY_REQUEST: REQUEST,
    pb.TYPE_REGISTRY_ANSWER: ({SERVICE}, loa.REVOKE, "registry", DAY),
    pb.TYPE_CONTENT_ANSWER: ({SERVICE}, 0, "content-ingest", DAY),
    pb.TYPE_SCHEDULER_ANSWER: ({SERVICE}, loa.SCHEDULE, "scheduler", DAY),
    pb.TYPE_TELEMETRY_ANSWER: ({SERVICE}, 0, "telemetry-collector", DAY),
}
TIMELESS = {pb.TYPE_TRUST, pb.TYPE_HEAD, pb.TYPE_LOGIN}


def barred(type_):
    """Two locks: who may approve content makes no programme."""
    return loa.CONTENT_APPROVE if type_ == pb.TYPE_PROGRAMME else 0


def within(inner, outer):
    return (inner + "/").startswith(outer + "/")


def holds(key, name, data, signature):
    try:
        nacl.signing.VerifyKey(key).verify(loa.signed_input(name, data),
                                           signature)
        return True
    except nacl.exceptions.BadSignatureError:
        return False


def judge_chain(root, key, certificates, now, time):
    """(verdict, leaf), for chains in which every key has one certificate."""
    child = leaf = None
    for _ in range(6):
        found = [c for c in certificates
                 if pb.CertificateBody.FromString(c.body).subject == key]
        if not found:
            return "no-certificate", None
        c = pb.CertificateBody.FromString(found[0].body)
        if not holds(c.issuer, "certificate", found[0].body,
                     found[0].signature):
            return "chain-signature", None
        if child is not None:
            if not within(child.area, c.area):
                return "chain-area", None
            if child.powers & ~c.powers:
                return "chain-powers", None
            if (child.not_before_ms < c.not_before_ms
                    or child.not_after_ms > c.not_after_ms):
                return "chain-validity", None
            if not c.powers & loa.DELEGATE or child.max_depth >= c.max_depth:
                return "chain-depth", None
        if time and c.not_before_ms - SKEW > now:
            return "not-yet-valid", None
        if time and c.not_after_ms <= now:
            return "expired-certificate", None
        leaf = leaf or c
        if c.issuer == root:
            return "ok", leaf
        child, key = c, c.issuer
    return "chain-length", None


def judge(root, type_, data, now, time, area, signer_area):
    e = pb.Envelope.FromString(data)
    signed = pb.Signed.FromString(e.signed)
    if signed.type != type_ or type_ not in POLICY:
        return "wrong-type"
    roles, powers, service, life = POLICY[type_]
    certificates = [pb.Certificate.FromString(c) for c in e.certificates]
    leaves = []
    for s in e.signatures:
        verdict, leaf = judge_chain(root, s.key, certificates, now, time)
        if verdict != "ok":
            return verdict
        leaves.append(leaf)
    for s in e.signatures:
        if not holds(s.key, loa.type_name(type_), e.signed, s.signature):
            return "bad-signature"
    if len({c.principal for c in leaves}) < len(leaves):
        return "quorum"
    for c in leaves:
        if c.role not in roles:
            return "role"
        if c.role == SERVICE and service not in (None, c.service):
            return "role"
        if powers & ~c.powers or c.powers & (loa.DRILL | barred(type_)):
            return "power"
    for c in leaves:
        if not within(signed.area, c.area):
            return "area"
        if signer_area != "-" and not within(signer_area, c.area):
            return "area"
    if area != "-" and not within(area, signed.area):
        return "not-for-us"
    if life and signed.expires_at_ms - signed.issued_at_ms > life:
        return "malformed"
    if not time:
        return "ok" if type_ in TIMELESS else "no-time"
    if signed.issued_at_ms > now + SKEW:
        return "future"
    return "expired" if signed.expires_at_ms <= now else "ok"


AREAS = ["-", "vn", "vn/08", "vn/08/070", "vn/08/070/02215", "vn/09"]
SHIFTS = [0, 0, 0, SKEW, SKEW + 1, -MINUTE, HOUR, -HOUR, 2 * DAY, 30 * DAY,
          -30 * DAY]


def random_chain(rnd, net):
    """Somebody new, whose certificate is a little beyond its issuer's."""
    issuer = rnd.choice([net.province, net.commune, net.registry, net.lan,
                         net.thief, net.root])
    role = rnd.choice([pb.ROLE_AUTHORITY, STAFF, SERVICE, DEVICE])
    return issuer.issue(
        role, "new", rnd.choice(AREAS[1:]),
        powers=rnd.choice([0, loa.COMMAND, loa.REVOKE, loa.ALL & ~loa.DRILL]),
        service=(rnd.choice(["scheduler", "registry", "other"])
                 if role == SERVICE else ""),
        max_depth=rnd.choice([0, 0, 0, 1, 7]),
        not_before_ms=NOW - 10 * DAY - rnd.choice([0, 0, 1]),
        not_after_ms=NOW + 10 * DAY + rnd.choice([0, 0, 1]))


def fitting(who):
    """The types for which this certificate is good."""
    c = who.body
    return [t for t, (roles, powers, service, _) in POLICY.items()
            if c.role in roles and not powers & ~c.powers
            and not c.powers & barred(t)
            and (c.role != SERVICE or service in (None, c.service))]


def random_envelope(rnd, net):
    who = rnd.choice(net.people) if rnd.random() < .8 else random_chain(rnd, net)
    more = [rnd.choice(net.people)] if rnd.random() < .15 else []
    if more == [who]:
        more = []
    area = rnd.choice([who.area] * 20 + AREAS[1:])
    types = list(POLICY) + [pb.TYPE_ENROL]
    if rnd.random() < .8:
        types = fitting(who) or types
    data = who.envelope(
        rnd.choice(types), b"body", area=area,
        issued_at_ms=NOW + rnd.choice([0] * 20 + SHIFTS),
        ttl_ms=rnd.choice([MINUTE] * 5 + [HOUR, HOUR + 1, 2 * DAY]),
        cosigners=more)
    e = pb.Envelope.FromString(data)
    fate = rnd.random()
    if fate < .1 and len(e.certificates) > 1:
        del e.certificates[rnd.randrange(len(e.certificates))]
    elif fate < .15:
        s = rnd.choice(e.signatures)
        s.signature = bytes([s.signature[0] ^ 1]) + s.signature[1:]
    elif fate < .2:
        e.signed = who.envelope(pb.TYPE_COMMAND, b"other")  # no Signed at all
        e.signed = pb.Envelope.FromString(e.signed).signed
    elif fate < .25:
        i = rnd.randrange(len(e.certificates))
        c = pb.Certificate.FromString(e.certificates[i])
        c.signature = bytes(64)
        e.certificates[i] = c.SerializeToString()
    certificates = list(e.certificates)
    rnd.shuffle(certificates)
    del e.certificates[:]
    e.certificates.extend(certificates)
    return e.SerializeToString()


@pytest.mark.parametrize("seed", range(8))
def test_same_verdicts(store, net, seed):
    rnd = random.Random(seed)
    seen = {}
    for case in range(250):
        data = random_envelope(rnd, net)
        type_ = pb.Signed.FromString(pb.Envelope.FromString(data).signed).type
        if rnd.random() < .05:
            type_ = rnd.choice(list(POLICY))
        now = NOW + rnd.choice([0] * 20 + [HOUR, 11 * DAY, -11 * DAY])
        time = rnd.random() > .1
        area = rnd.choice(AREAS[:1] * 20 + AREAS)
        signer_area = rnd.choice(AREAS[:1] * 20 + AREAS)
        want = judge(net.root.key, type_, data, now, time, area, signer_area)
        got = store.verify(type_, data, now, time, area, signer_area)[0]
        assert got == want, f"seed {seed} case {case}: {data.hex()}"
        seen[want] = seen.get(want, 0) + 1
    assert seen["ok"] >= 10 and len(seen) >= 12, seen


# --- the page for people ------------------------------------------------------


def page_table():
    with open(os.path.join(loa.ROOT_DIR, "docs", "trust.md"),
              encoding="utf-8") as f:
        text = f.read()
    text = text.split("<!-- policy -->")[1].split("<!-- end of policy -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in text.strip().split("\n")]
    return {row[0]: row[1:] for row in rows[2:]}


def test_docs_have_the_same_table():
    lives = {"": None, "10 min": 10 * MINUTE, "1 h": HOUR, "24 h": DAY}
    page = page_table()
    assert set(page) == {pb.Type.Name(t)[len("TYPE_"):] for t in POLICY}
    for type_, (roles, powers, service, life) in POLICY.items():
        row = page[pb.Type.Name(type_)[len("TYPE_"):]]
        assert {getattr(pb, "ROLE_" + r.upper())
                for r in row[0].split(", ")} == roles
        assert row[1] == ("" if SERVICE not in roles else service or "any")
        assert sum(getattr(pb, "POWER_" + p.upper().replace("-", "_"))
                   for p in row[2].split(", ") if p) == powers
        assert lives[row[3]] == life
        assert (row[4] == "yes") == (type_ in TIMELESS)
        assert ("not with content-approve" in row[5]) == bool(barred(type_))
