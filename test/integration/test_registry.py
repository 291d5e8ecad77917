"""loa-registry on a real PostgreSQL and a real Mosquitto with the plugin."""
import csv
import io
import json
import os
import queue
import shutil
import socket
import subprocess
import threading
import time
import unicodedata

import pytest

from loa_broker import Broker, wait_until
from loa_identity import (ALL as ALL_AND_DRILL, COMMAND, CONFIG, DAY_MS,
                          DELEGATE, DRILL, REVOKE, ROOT_DIR, SCHEDULE, blake2b,
                          new_enrolling, new_root, now_ms, open_envelope, pb,
                          registry)
from loa_service import Asker, Postgres, Service, with_fail_points

ALL = ALL_AND_DRILL & ~DRILL   # A drill key signs nothing else.
OK = pb.Status.CODE_OK
INVALID = pb.Status.CODE_INVALID
NOT_ALLOWED = pb.Status.CODE_NOT_ALLOWED
NOT_FOUND = pb.Status.CODE_NOT_FOUND
CONFLICT = pb.Status.CODE_CONFLICT
EXISTS = pb.Status.CODE_EXISTS
EXPIRED = pb.Status.CODE_EXPIRED
IN_USE = pb.Status.CODE_IN_USE
REVOKED = pb.Status.CODE_REVOKED

SAMPLE = os.path.join(ROOT_DIR, "deploy", "sample-areas.csv")
SHARED = os.environ.get("LOA_DATA",
                        os.path.join(ROOT_DIR, "..", "shared", "data"))
HEADER = "code,parent,tier,name\n"
PART = 48000


def read(path):
    with open(path, "rb") as f:
        return f.read()


class World:
    """A root, a registry for the whole country, staff, and their servers."""

    def __init__(self, pg, broker, root):
        self.pg, self.broker, self.root = pg, broker, root
        self.country = root.authority("ministry", "vn")
        self.province = self.country.authority("province_08", "vn/08")
        self.identity = self.country.service(
            "registry_vn", "registry", "vn", powers=CONFIG | DELEGATE | REVOKE,
            max_depth=1)
        self.service = Service("registry", self.identity, pg, broker)
        self.askers = {}

    def asker(self, who):
        if who.principal not in self.askers:
            client = self.broker.connect(who)
            # As our own clients: no 40 ms between two small packets.
            client.mqtt.socket().setsockopt(socket.IPPROTO_TCP,
                                            socket.TCP_NODELAY, 1)
            self.askers[who.principal] = Asker(client, who)
        return self.askers[who.principal]

    def ask(self, who, message_id=None, limit_s=10, **what):
        """A RegistryAnswer to this request of `who`."""
        asker = self.asker(who)
        message_id, _ = asker.send("registry", pb.TYPE_REGISTRY_REQUEST,
                                   registry.RegistryRequest(**what),
                                   message_id)
        return asker.wait(message_id, registry.RegistryAnswer, limit_s)

    def import_csv(self, who, text, valid_from_ms=0, order=None):
        """All pieces of a file; the answer to the last one."""
        if isinstance(text, str):
            text = text.encode()
        parts = [text[i:i + PART] for i in range(0, len(text), PART)] or [b""]
        import_id = os.urandom(16)
        for i in order or range(len(parts)):
            answer = self.ask(who, area_import=registry.AreaImport(
                import_id=import_id, part=i, parts_n=len(parts), csv=parts[i],
                valid_from_ms=valid_from_ms))
            if answer.status.code != OK:
                break
        return answer

    def find(self, who, text="", **more):
        """Every area that is found, page by page."""
        found, after = [], ""
        while True:
            a = self.ask(who, area_find=registry.AreaFind(
                text=text, after=after, **more))
            assert a.status.code == OK, a.status.text_en
            found += a.areas
            after = a.next
            if not after:
                return found

    def sync(self, who, since=0):
        rows, after = [], ""
        while True:
            a = self.ask(who, area_sync=registry.AreaSync(
                since_version=since, after=after))
            assert a.status.code == OK, a.status.text_en
            rows += a.areas
            after = a.next
            if not after:
                return rows, a.version

    def enrol(self, code, device, who=None, serial="", model="LS-1",
              limit_s=10):
        """A device's side of the enrolment; returns (RegistryAnswer, who)."""
        who = who or new_enrolling()
        key = blake2b(code.replace("-", "").encode())
        proof = blake2b(b"loa/1/enrol\0" + device.encode() + b"\0"
                        + serial.encode() + b"\0" + who.key, key)
        if who.principal not in self.askers:
            client = self.broker.connect(who)
            assert client.subscribe(
                f"loa/1/rpc/reply/enrol/@{who.principal}") == 1
            self.askers[who.principal] = client
        client = self.askers[who.principal]
        message_id = os.urandom(16)
        client.publish(
            f"loa/1/rpc/registry/enrol/@{who.principal}",
            who.envelope(pb.TYPE_ENROL, registry.EnrolRequest(
                device=device, serial=serial, model=model, key=who.key,
                proof=proof), area="enrol", message_id=message_id))
        end = time.monotonic() + limit_s
        while True:
            m = client.wait_message(limit_s=end - time.monotonic())
            signed, _ = open_envelope(m.payload)
            if signed.message_id == message_id:
                return registry.RegistryAnswer.FromString(signed.body), who

    def trust_list(self):
        """The retained list, as anybody gets it."""
        client = self.broker.connect(self.identity, client_id="registry_vn-t")
        client.subscribe("loa/1/down/trust/vn")
        m = client.wait_message("loa/1/down/trust/vn")
        assert m.retain
        client.close()
        signed, _ = open_envelope(m.payload)
        return pb.TrustList.FromString(signed.body), signed

    def restart(self):
        self.service.kill()
        self.service.start()


@pytest.fixture(name="pg", scope="module")
def postgres():
    with Postgres() as pg:
        yield pg


@pytest.fixture(name="w")
def world(pg):
    """An empty registry: one cluster serves all tests, the rest is new."""
    tables = [row[0] for row in pg.query(
        "SELECT 'registry.' || tablename FROM pg_tables "
        "WHERE schemaname = 'registry'")]
    pg.query(f"TRUNCATE {', '.join(tables)} CASCADE; "
             "INSERT INTO registry.state DEFAULT VALUES")
    root = new_root()
    with Broker(root) as broker:
        w = World(pg, broker, root)
        try:
            w.service.start()
            yield w
        finally:
            w.service.remove()


@pytest.fixture(name="registrar")
def registrar_(w):
    return w.country.staff("registrar", "vn", powers=ALL)


# --- areas


def test_sample_tree_is_imported_found_and_synced(w, registrar):
    a = w.import_csv(registrar, read(SAMPLE))
    assert a.status.code == OK, a.status
    assert (a.added_n, a.changed_n, a.unchanged_n, a.version) == (15, 0, 0, 1)
    a = w.import_csv(registrar, read(SAMPLE))
    assert (a.added_n, a.changed_n, a.unchanged_n, a.version) == (0, 0, 15, 1)

    for text in ("vn/08", "08", "Tỉnh Tuyên Quang", "tỉnh tuyên quang",
                 unicodedata.normalize("NFD", "Tuyên Quang"), "tuyen quang",
                 "TUYEN QUANG"):
        assert w.find(registrar, text)[0].path == "vn/08", text
    assert [x.path for x in w.find(registrar, "dak lak")] == ["vn/66"]
    assert [x.path for x in w.find(registrar, "M'Đrắk")] == ["vn/66/647"]
    assert [x.path for x in w.find(registrar, under="vn/08",
                                   children_only=True)] == [
        "vn/08/070", "vn/08/075"]
    below = w.find(registrar, under="vn/08", limit=2)
    assert [x.path for x in below] == sorted(x.path for x in below)
    assert len(below) == 8

    rows, version = w.sync(registrar)
    assert version == 1 and len(rows) == 15
    assert {r.path for r in rows} == {x.path for x in w.find(registrar)}
    assert w.sync(registrar, since=1) == ([], 1)
    w.restart()
    assert w.sync(registrar)[0] == rows


def test_history_codes_and_ids(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    before = now_ms()
    a = w.import_csv(registrar, HEADER + "02551,,closed,\n"
                     "02215,08,commune,Phường Minh Xuân\n")
    assert (a.status.code, a.changed_n) == (OK, 2), a.status.text_en
    a = w.import_csv(registrar, HEADER + "02551,075,commune,Xã Khác Hẳn\n")
    assert (a.status.code, a.added_n) == (OK, 1), a.status.text_en

    for _ in range(2):
        assert w.find(registrar, "02551")[0].path == "vn/08/075/02551_2"
        assert w.find(registrar, "Tân Trào") == []
        old = w.find(registrar, "Tân Trào", at_ms=before)
        assert [x.path for x in old] == ["vn/08/075/02551"]
        assert old[0].valid_until_ms > before
        assert w.find(registrar, "Ỷ La", at_ms=before)[0].path == \
            "vn/08/070/02215"
        assert w.find(registrar, "02215")[0].path == "vn/08/02215"
        rows, version = w.sync(registrar, since=1)
        assert version == 3
        assert [(r.version, r.path) for r in rows] == [
            (2, "vn/08/02215"), (2, "vn/08/070/02215"),
            (2, "vn/08/075/02551"), (3, "vn/08/075/02551_2")]
        w.restart()
    assert w.pg.one("SELECT count(*) FROM registry.area_now "
                    "WHERE path <@ 'vn.08'") == "9"


def test_import_refusals_name_the_line_and_change_nothing(w, registrar):
    rows = [
        (HEADER + "vn,,central,Việt Nam\n08,xx,province,T\n", NOT_FOUND, 3),
        (HEADER + "vn,,central,Việt Nam\nvn,,central,V\n", INVALID, 3),
        (HEADER + "vn,,central,Việt Nam\n08,08,province,T\n", INVALID, 3),
        (HEADER + "vn,,central,Việt Nam\n1,2,province,A\n2,1,district,B\n",
         INVALID, 3),
        (HEADER.encode() + "vn,,central,Việt Nam\n".encode("utf-16-le"),
         INVALID, 2),
        (HEADER.encode() + b"vn,,central,Vi\xeat Nam\n", INVALID, 2),
        (b"\0" * 1000, INVALID, 1),
        (HEADER, INVALID, 0),
        (HEADER + '"vn,,central,V\n' * 4000, INVALID, 2),
    ]
    for text, code, line in rows:
        a = w.import_csv(registrar, text)
        assert (a.status.code, a.line) == (code, line), a.status
        assert a.status.text_vi.endswith(".") and a.status.text_en
    assert w.sync(registrar) == ([], 0)
    assert w.pg.one("SELECT count(*) FROM registry.import_part") == "0"


def test_who_may_import(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    lan = w.province.staff("lan", "vn/08", powers=DELEGATE)
    a = w.import_csv(lan, HEADER + "02999,070,commune,Xã Mới\n")
    assert a.status.code == OK, a.status.text_en
    a = w.import_csv(lan, HEADER + "24999,647,commune,Xã Mới\n")
    assert (a.status.code, a.line) == (NOT_ALLOWED, 2)
    nam = w.province.staff("nam", "vn/08", powers=ALL & ~DELEGATE)
    a = w.import_csv(nam, HEADER + "02998,070,commune,Xã Mới\n")
    assert a.status.code == NOT_ALLOWED


def test_parts_in_any_order_and_repeated(w, registrar):
    text = (HEADER + "vn,,central,Việt Nam\n" + "".join(
        f"p{i:04d},vn,province,Tỉnh số {i}\n" for i in range(4000))).encode()
    n = -(-len(text) // PART)
    assert n >= 3
    a = w.import_csv(registrar, text, order=[n - 1, *range(n - 1)])
    assert (a.status.code, a.added_n) == (OK, 4001), a.status.text_en
    import_id, message_id = os.urandom(16), os.urandom(16)
    part = registry.AreaImport(import_id=import_id, part=0, parts_n=2,
                               csv=text[:PART])
    first = w.ask(registrar, message_id, area_import=part)
    assert first == w.ask(registrar, message_id, area_import=part)
    assert w.ask(registrar, area_import=part).status.code == OK
    for wrong in (registry.AreaImport(import_id=import_id, part=1, parts_n=3,
                                      csv=b"x"),
                  registry.AreaImport(import_id=import_id, part=2, parts_n=2,
                                      csv=b"x"),
                  registry.AreaImport(import_id=b"short", part=0, parts_n=1,
                                      csv=b"x"),
                  registry.AreaImport(import_id=os.urandom(16), part=0,
                                      parts_n=65, csv=b"x"),
                  registry.AreaImport(import_id=os.urandom(16), part=0,
                                      parts_n=1, csv=b"")):
        assert w.ask(registrar, area_import=wrong).status.code != OK


def test_a_whole_country(w, registrar):
    path = os.path.join(SHARED, "areas-2021.csv")
    if not os.path.exists(path):
        pytest.skip(f"{path} is not there: set LOA_DATA to a folder with "
                    "areas-2021.csv and areas-2025.csv; the other tests use "
                    "deploy/sample-areas.csv")
    text = read(path)
    begin = time.monotonic()
    a = w.import_csv(registrar, text)
    took = time.monotonic() - begin
    assert (a.status.code, a.added_n) == (OK, 11368), a.status.text_en
    print(f"11,368 areas in {took:.2f} s")
    assert took < 2
    assert w.find(registrar, "tuyen quang")[0].path == "vn/08"

    rows, version = w.sync(registrar)
    want = list(csv.DictReader(io.StringIO(text.decode())))
    assert version == 1 and len(rows) == len(want)
    assert {r.code: r.name for r in rows} == {
        x["code"]: " ".join(x["name"].split()) for x in want}
    a = w.import_csv(registrar, text)
    assert (a.added_n, a.changed_n, a.unchanged_n) == (0, 0, 11368)

    # The reform of 2025: no districts.
    text = read(os.path.join(SHARED, "areas-2025.csv"))
    a = w.import_csv(registrar, text)
    assert a.status.code == OK, a.status.text_en
    assert a.added_n + a.changed_n + a.unchanged_n == 3356
    codes = [x["code"] for x in csv.DictReader(io.StringIO(text.decode()))]
    now = {x.code: x for x in w.find(registrar, limit=500)}
    assert len(now) == 11368 + a.added_n
    assert all(now[c].path.count("/") <= 2 for c in codes)
    assert len(w.sync(registrar, since=1)[0]) >= a.changed_n
    everything, _ = w.sync(registrar)
    w.restart()
    assert w.sync(registrar)[0] == everything


def test_killed_at_any_moment_of_an_import(w, registrar):
    """Nothing is half applied; what was acknowledged is there."""
    text = (HEADER + "vn,,central,Việt Nam\n" + "".join(
        f"p{i:04d},vn,province,Tỉnh số {i}\n" for i in range(1, 4000))).encode()
    parts = [text[i:i + PART] for i in range(0, len(text), PART)]
    applied = False
    for i in range(12):
        import_id = os.urandom(16)
        asker = w.asker(registrar)
        sent = None
        for k, part in enumerate(parts):
            q = registry.RegistryRequest(area_import=registry.AreaImport(
                import_id=import_id, part=k, parts_n=len(parts), csv=part))
            sent, _ = asker.send("registry", pb.TYPE_REGISTRY_REQUEST, q)
        time.sleep(0.01 * i)
        w.service.kill()
        answered = False
        for m in asker.client.drain():
            signed, _ = open_envelope(m.payload)
            if signed.message_id == sent:
                assert registry.RegistryAnswer.FromString(
                    signed.body).status.code == OK
                answered = True
        w.service.start()
        n = len(w.sync(registrar)[0])
        assert n in (0, 4000)
        assert n == 4000 or not (answered or applied)
        applied |= n == 4000
        assert w.pg.one("SELECT count(*) FROM registry.area_state") == str(n)
    # Pieces that were taken before the kill are whole with what comes after.
    import_id = os.urandom(16)
    text = text.replace("số".encode(), "thứ".encode())
    parts = [text[i:i + PART] for i in range(0, len(text), PART)]
    for k, part in enumerate(parts):
        a = w.ask(registrar, area_import=registry.AreaImport(
            import_id=import_id, part=k, parts_n=len(parts), csv=part))
        assert a.status.code == OK
        if k + 1 < len(parts):
            w.restart()
    assert a.added_n + a.changed_n == (3999 if applied else 4000)


# --- devices


def make_code(w, who, message_id=None, **more):
    fields = {"area": "vn/08/070/02215", "id": "pole_1", **more}
    return w.ask(who, message_id,
                 device_code=registry.DeviceCode(**fields))


def test_a_device_enrols_and_lives(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    message_id = os.urandom(16)
    a = make_code(w, registrar, message_id, serial="SN-1", name="Cổng chợ Ỷ La")
    assert a.status.code == OK, a.status.text_en
    code = a.code
    assert len(code) == 19 and code.count("-") == 3
    assert make_code(w, registrar, message_id, serial="SN-1",
                     name="Cổng chợ Ỷ La").code == code
    # No table holds it.
    for table in ("device", "device_code", "inbox", "outbox"):
        dump = w.pg.query(f"SELECT t::text FROM registry.{table} t")
        assert code not in json.dumps(dump)
        assert code.encode().hex() not in json.dumps(dump)

    a, who = w.enrol(code, "pole_1", serial="SN-1")
    assert a.status.code == OK, a.status.text_en
    e = registry.Enrolment.FromString(a.enrolment)
    assert e.root == w.root.key
    assert e.proof == blake2b(b"loa/1/enrolled\0" + who.key + e.root,
                              blake2b(code.replace("-", "").encode()))
    assert list(e.certificates[1:]) == w.identity.certificates
    body = pb.CertificateBody.FromString(
        pb.Certificate.FromString(e.certificates[0]).body)
    assert (body.principal, body.area, body.subject, body.role) == (
        "pole_1", "vn/08/070/02215", who.key, pb.ROLE_DEVICE)
    assert body.powers == 0 and body.max_depth == 0
    assert body.not_after_ms <= w.identity.not_after_ms
    again, _ = w.enrol(code, "pole_1", who, serial="SN-1")
    assert registry.Enrolment.FromString(again.enrolment) == e

    # The broker takes it; the registry knows it.
    who.principal, who.area = "pole_1", body.area
    who.certificates = list(e.certificates)
    w.broker.connect(who)
    found = w.ask(registrar, device_find=registry.DeviceFind(
        under="vn/08")).devices
    assert [(d.id, d.area, d.serial, d.name, d.key) for d in found] == [
        ("pole_1", "vn/08/070/02215", "SN-1", "Cổng chợ Ỷ La", who.key)]
    w.restart()
    again, _ = w.enrol(code, "pole_1", _enrolling(who), serial="SN-1")
    assert registry.Enrolment.FromString(again.enrolment) == e


def _enrolling(who):
    return new_enrolling(who.seed)


def test_codes_are_for_one_device_one_key_and_a_while(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    old = make_code(w, registrar).code
    first = os.urandom(16)
    code = make_code(w, registrar, first).code
    assert old != code
    a, _ = w.enrol(old, "pole_1")
    assert a.status.code == NOT_ALLOWED
    a, _ = w.enrol(code, "pole_2")
    assert a.status.code == NOT_ALLOWED
    a, _ = w.enrol("0000-0000-0000-0000", "pole_1")
    assert a.status.code == NOT_ALLOWED and not a.enrolment

    a, who = w.enrol(code, "pole_1")
    assert a.status.code == OK
    a, _ = w.enrol(code, "pole_1")
    assert a.status.code == CONFLICT
    assert make_code(w, registrar).status.code == EXISTS
    # The same key for another device; a code for a serial.
    code = make_code(w, registrar, id="pole_2", serial="SN-2").code
    a, _ = w.enrol(code, "pole_2", who, serial="SN-2")
    assert a.status.code == EXISTS
    a, _ = w.enrol(code, "pole_2", serial="SN-3")
    assert a.status.code == CONFLICT
    w.pg.query("UPDATE registry.device SET code_expires_at = now() "
               "WHERE id = 'pole_2'")
    w.restart()
    a, _ = w.enrol(code, "pole_2", serial="SN-2")
    assert a.status.code == EXPIRED


def test_an_older_request_for_a_code_does_not_come_back(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    first = os.urandom(16)
    make_code(w, registrar, first)
    code = make_code(w, registrar).code
    for _ in range(2):
        assert make_code(w, registrar, first).status.code == CONFLICT
        w.restart()
    a, _ = w.enrol(code, "pole_1")
    assert a.status.code == OK


def test_who_may_make_codes(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    lan = w.province.staff("lan", "vn/08/070", powers=CONFIG)
    nam = w.province.staff("nam", "vn/08/070", powers=ALL & ~CONFIG)
    assert make_code(w, lan).status.code == OK
    assert make_code(w, nam).status.code == NOT_ALLOWED
    assert make_code(w, lan, area="vn/08/075/02536").status.code == NOT_ALLOWED
    assert make_code(w, lan, area="vn/08/070/99999").status.code == NOT_FOUND
    assert make_code(w, lan, area="vn//").status.code == NOT_FOUND
    assert make_code(w, lan, id="enrol_1").status.code == INVALID
    assert make_code(w, lan, id="a/b").status.code == INVALID
    assert make_code(w, lan, valid_s=1).status.code == INVALID
    assert make_code(w, lan, name="x" * 200).status.code == INVALID
    assert make_code(w, lan, serial="a\nb").status.code == INVALID
    a = make_code(w, lan, id="")
    assert a.status.code == OK and a.devices[0].id.startswith("loa_")
    # A district's staff do not see the next one's devices.
    make_code(w, registrar, id="other", area="vn/08/075/02536")
    ids = [d.id for d in w.ask(
        lan, device_find=registry.DeviceFind(limit=500)).devices]
    assert "pole_1" in ids and "other" not in ids
    assert w.ask(lan, device_find=registry.DeviceFind(
        under="vn/08")).status.code == NOT_ALLOWED
    assert w.ask(lan, device_find=registry.DeviceFind(
        id="other")).status.code == NOT_FOUND


def test_killed_at_any_moment_of_an_enrolment(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    serials = []
    for i in range(10):
        device = f"pole_{i}"
        code = make_code(w, registrar, id=device).code
        who = new_enrolling()
        w.askers.pop(who.principal, None)
        begin = time.monotonic()
        try:
            # The kill comes while the request is on its way.
            threading.Timer(0.002 * i, w.service.kill).start()
            a, _ = w.enrol(code, device, who, limit_s=0.3)
            certificate = registry.Enrolment.FromString(
                a.enrolment).certificates[0]
        except queue.Empty:  # No answer.
            certificate = None
        time.sleep(max(0, 0.05 - (time.monotonic() - begin)))
        wait_until(lambda: w.service.process.poll() is not None, "killed")
        w.service.start()
        a, _ = w.enrol(code, device, who)
        assert a.status.code == OK, a.status.text_en
        e = registry.Enrolment.FromString(a.enrolment)
        assert certificate in (None, e.certificates[0])
        serials.append(pb.CertificateBody.FromString(
            pb.Certificate.FromString(e.certificates[0]).body).serial)
    assert serials == sorted(set(serials))
    assert w.pg.one("SELECT count(*) FROM registry.device_certificate") == "10"


def test_wrong_codes_are_answered_at_a_bounded_rate(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    code = make_code(w, registrar).code
    who = new_enrolling()
    for _ in range(50):
        a, _ = w.enrol("0000-0000-0000-0000", "pole_1", who)
        assert a.status.code == NOT_ALLOWED
    with pytest.raises(queue.Empty):
        w.enrol("0000-0000-0000-0000", "pole_1", who, limit_s=0.5)
    assert w.service.metric("loa_registry_wrong_codes_total") == 51
    assert w.service.metric("loa_registry_dropped_codes_total") == 1
    a, _ = w.enrol(code, "pole_1")
    assert a.status.code == OK


@pytest.mark.parametrize("point", ["registry.write", "pg.commit",
                                   "pg.committed"])
def test_killed_at_every_step(w, registrar, point):
    """The registry ends at the nth passing of a point; whoever asked asks
    again, with the same request, and everything is done once."""
    w.service.argv[0] = with_fail_points("loa-registry")
    w.restart()
    w.import_csv(registrar, read(SAMPLE))
    asker = w.asker(registrar)
    deaths = 0

    def again(**what):
        """Ask until there is an answer, as a client does."""
        nonlocal deaths
        message_id = os.urandom(16)
        while True:
            sent, _ = asker.send("registry", pb.TYPE_REGISTRY_REQUEST,
                                 registry.RegistryRequest(**what), message_id)
            try:
                return asker.wait(sent, registry.RegistryAnswer, 0.5)
            except queue.Empty:
                if w.service.process.poll() is not None:
                    deaths += 1
                    w.service.start()

    def enrol_again(code, device, who):
        nonlocal deaths
        while True:
            try:
                return w.enrol(code, device, who, limit_s=0.5)[0]
            except queue.Empty:
                if w.service.process.poll() is not None:
                    deaths += 1
                    w.service.start()

    for n in range(1, 13):
        w.service.kill()
        w.service.start(wait=False, LOA_FAILPOINT=f"{point}:{n}:abort")
        try:
            wait_until(w.service.ready, "ready", 5)
        except AssertionError:      # It ended before it was ready.
            deaths += 1
            w.service.start()
        people = w.country.staff(f"p{n}", "vn")
        a = again(area_import=registry.AreaImport(
            import_id=os.urandom(16), parts_n=1,
            csv=f"{HEADER}c{n},070,commune,Xã số {n}\n".encode()))
        assert (a.status.code, a.added_n) == (OK, 1), a.status.text_en
        a = again(device_code=registry.DeviceCode(
            id=f"d{n}", area=f"vn/08/070/c{n}"))
        assert a.status.code == OK, a.status.text_en
        a = enrol_again(a.code, f"d{n}", new_enrolling())
        assert a.status.code == OK, a.status.text_en
        assert again(principal_add=registry.PrincipalAdd(
            certificates=people.certificates)).status.code == OK
        for name in (f"p{n}", f"d{n}"):
            assert again(revoke=registry.Revoke(
                principal=name)).status.code == OK
        assert len(w.sync(registrar)[0]) == 15 + n
    assert deaths >= 5
    for table, count in (("area_state", 27), ("device", 12), ("device_code", 12),
                         ("device_certificate", 12), ("principal", 12),
                         ("revocation", 24), ("import_part", 0)):
        assert w.pg.one(f"SELECT count(*) FROM registry.{table}") == str(count)
    body, _ = w.trust_list()
    assert sum(len(r.serials) for r in body.revocations) == 24
    assert body.areas_version == 13


# --- principals, revocation, the list


def test_the_list_is_there_from_the_first_start(w):
    body, signed = w.trust_list()
    assert (body.number, len(body.revocations)) == (1, 0)
    assert signed.expires_at_ms - signed.issued_at_ms == 30 * DAY_MS
    w.restart()
    assert w.trust_list()[0].number == 1


def test_principals_are_added_found_and_revoked(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    lan = w.province.staff("lan", "vn/08/070", powers=SCHEDULE,
                           name="Nguyễn Thị Lan", serial=(1 << 64) - 1)
    a = w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=lan.certificates))
    assert a.status.code == OK, a.status.text_en
    assert w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=lan.certificates)).status.code == OK
    found = w.ask(registrar, principal_find=registry.PrincipalFind(
        under="vn/08")).principals
    assert [(p.id, p.name, p.area, p.powers, p.certificate_serial, p.issuer,
             p.revoked) for p in found] == [
        ("lan", "Nguyễn Thị Lan", "vn/08/070", SCHEDULE, (1 << 64) - 1,
         w.province.key, False)]
    # Another authority cannot take the name.
    other = w.country.authority("province_66", "vn/66")
    thief = other.staff("lan", "vn/66")
    assert w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=thief.certificates)).status.code == EXISTS
    forged = new_root().authority("x", "vn").staff("y", "vn")
    assert w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=forged.certificates)).status.code == INVALID

    live = w.broker.connect(lan)
    nam = w.province.staff("nam", "vn/08/075", powers=REVOKE)
    tu = w.province.staff("tu", "vn/08/070", powers=ALL & ~REVOKE)
    for who in (nam, tu):
        assert w.ask(who, revoke=registry.Revoke(
            principal="lan")).status.code == NOT_ALLOWED
    version = w.trust_list()[0].areas_version
    assert version == 1
    message_id = os.urandom(16)
    number = w.trust_list()[0].number
    a = w.ask(registrar, message_id, revoke=registry.Revoke(
        principal="lan", reason="mất khóa"))
    assert (a.status.code, a.revocation_number) == (OK, number + 1)
    live.wait_closed()          # A live connection is cut off.
    again = w.ask(registrar, revoke=registry.Revoke(principal="lan"))
    assert (again.status.code, again.revocation_number) == (OK, number + 1)
    body, _ = w.trust_list()
    assert body.number == number + 1
    assert [(r.issuer, list(r.serials)) for r in body.revocations] == [
        (w.province.key, [(1 << 64) - 1])]
    w.restart()
    assert w.trust_list()[0] == body
    # The registry itself believes its list.
    assert w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=lan.certificates)).status.code == REVOKED
    assert w.ask(registrar, revoke=registry.Revoke(
        principal="nobody")).status.code == NOT_FOUND


def test_a_revoked_device_is_cut_off_and_may_come_back_with_a_new_key(
        w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    code = make_code(w, registrar).code
    a, who = w.enrol(code, "pole_1")
    e = registry.Enrolment.FromString(a.enrolment)
    device = new_enrolling(who.seed)
    device.principal, device.area = "pole_1", "vn/08/070/02215"
    device.certificates = list(e.certificates)
    live = w.broker.connect(device)
    assert w.ask(registrar, revoke=registry.Revoke(
        principal="pole_1", reason="mất cắp")).status.code == OK
    live.wait_closed()
    assert w.broker.connect(device, check=False).code != 0
    a, _ = w.enrol(code, "pole_1", new_enrolling(who.seed))
    assert a.status.code == REVOKED

    code = make_code(w, registrar).code
    a, _ = w.enrol(code, "pole_1", new_enrolling(who.seed))
    assert a.status.code == REVOKED
    a, _ = w.enrol(code, "pole_1")
    assert a.status.code == OK
    d = w.ask(registrar, device_find=registry.DeviceFind(id="pole_1")).devices
    assert not d[0].revoked


def test_the_registry_cannot_saw_off_its_own_branch(w, registrar):
    for chain in (w.identity.certificates, w.country.certificates):
        a = w.ask(registrar, principal_add=registry.PrincipalAdd(
            certificates=chain))
        assert a.status.code == OK, a.status.text_en
    for name in ("registry_vn", "ministry"):
        assert w.ask(registrar, revoke=registry.Revoke(
            principal=name)).status.code == IN_USE
    assert w.trust_list()[0].number == 1


def test_a_broker_that_lost_its_memory_has_the_list_again(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    w.ask(registrar, device_code=registry.DeviceCode(
        id="pole_1", area="vn/08/070/02215"))
    before = w.trust_list()[0]
    w.askers.clear()
    w.broker.stop(9)
    assert w.service.process.wait(10) == 1      # Its supervisor...
    w.broker.start()
    w.service.start()                           # ... starts it again.
    assert w.trust_list()[0] == before


def test_tables_from_a_backup_do_not_forget_revocations(w, registrar):
    lan = w.country.staff("lan", "vn", powers=COMMAND)
    w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=lan.certificates))
    w.ask(registrar, revoke=registry.Revoke(principal="lan"))
    body, _ = w.trust_list()
    w.service.kill()
    w.pg.query("DELETE FROM registry.revocation; DELETE FROM registry.outbox; "
               "DELETE FROM registry.trust_list; "
               "UPDATE registry.state SET trust_number = 0, trust_at = NULL")
    w.service.start()
    wait_until(lambda: w.trust_list()[0].number > body.number, "a newer list")
    assert w.trust_list()[0].revocations == body.revocations


def test_a_second_registry_on_the_same_tables_waits(w):
    second = Service("registry", w.identity, w.pg, w.broker)
    second.start(wait=False)
    try:
        wait_until(lambda: w.pg.one(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND"
            " NOT granted") == "1", "the second one waits for the lock")
        assert second.process.poll() is None
        assert not second.ready()
        w.service.stop()
        wait_until(second.ready, "the second one takes over")
    finally:
        second.remove()


def test_an_identity_that_may_not_issue_is_refused(w):
    weak = w.country.service("registry_weak", "registry", "vn", powers=REVOKE)
    s = Service("registry", weak, w.pg, w.broker)
    w.service.stop()  # One schema takes one process at a time.
    try:
        s.start(wait=False)
        assert s.process.wait(10) == 1
        assert "delegate" in s.log()
    finally:
        s.remove()
        w.service.start()


def test_certificates_that_end_are_told_of(w, registrar):
    soon = w.country.staff("soon", "vn", not_after_ms=now_ms() + 5 * DAY_MS)
    w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=soon.certificates))
    w.restart()
    assert "event=certificate.ends kind=principal id=soon" in w.service.log()
    left_s = w.service.metric(
        'loa_registry_certificate_expiry_seconds{kind="principal"}')
    assert 4 * 86400 < left_s <= 5 * 86400
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], check=True,
                       input=w.service.http("/metrics")[1].encode())


def test_malformed_requests_are_answered(w, registrar):
    asker = Asker(w.broker.connect(registrar), registrar)
    for body in (b"", b"\xff\xff\xff", os.urandom(100)):
        sent, _ = asker.send("registry", pb.TYPE_REGISTRY_REQUEST, body)
        a = asker.wait(sent, registry.RegistryAnswer)
        assert a.status.code == INVALID and a.status.text_vi
    for q in (registry.AreaFind(after="nonsense"),
              registry.AreaFind(limit=501),
              registry.AreaFind(text="x" * 1000)):
        assert w.ask(registrar, area_find=q).status.code == INVALID
    assert w.ask(registrar, area_find=registry.AreaFind(
        under="vn/nowhere")).status.code == NOT_FOUND
    assert w.ask(registrar, area_sync=registry.AreaSync(
        after="1.2")).status.code == INVALID


def test_a_forgery_with_the_same_id_does_not_disturb_a_request(w, registrar):
    """Right behind a request comes another one of its id that cannot be
    believed, while the first is still being looked up."""
    asker = w.asker(registrar)
    body = registry.RegistryRequest(area_find=registry.AreaFind(text="vn"))
    topic = f"loa/1/rpc/registry/vn/@{registrar.principal}"
    for _ in range(50):
        message_id = os.urandom(16)
        good = registrar.envelope(pb.TYPE_REGISTRY_REQUEST, body,
                                  message_id=message_id)
        e = pb.Envelope.FromString(good)
        e.signatures[0].signature = bytes(64)
        bad = e.SerializeToString()
        part = registry.AreaImport(import_id=os.urandom(16), part=0, parts_n=2,
                                   csv=HEADER.encode(), valid_from_ms=0)
        write = registrar.envelope(
            pb.TYPE_REGISTRY_REQUEST,
            registry.RegistryRequest(area_import=part), message_id=message_id)
        for envelope in (write, bad, good, bad):
            asker.client.mqtt.publish(topic, envelope, qos=1)
        asker.wait(message_id, registry.RegistryAnswer)
    assert w.service.process.poll() is None
    assert w.ask(registrar, area_find=registry.AreaFind(
        text="vn")).status.code == OK


def test_the_id_of_anothers_request_gives_nothing_away(w, registrar):
    """Two people use one message id: each has an answer to what they asked."""
    other = w.country.staff("district", "vn/08/070")
    message_id = os.urandom(16)
    a = w.import_csv(registrar, read(SAMPLE))
    a = w.ask(registrar, message_id, revoke=registry.Revoke(
        principal="registry_vn", reason="x"))
    assert a.status.code == NOT_FOUND
    part = registry.AreaImport(import_id=os.urandom(16), part=0, parts_n=2,
                               csv=HEADER.encode())
    assert w.ask(registrar, message_id, area_import=part).status.code == OK
    a = w.ask(other, message_id, area_find=registry.AreaFind(text="vn/08/070"))
    assert [x.path for x in a.areas] == ["vn/08/070"]
