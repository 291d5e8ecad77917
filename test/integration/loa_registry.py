"""A registry with its broker, database and staff, for tests."""
import os
import socket
import time

import pytest
from loa_broker import LIMIT_S, Broker
from loa_identity import (ALL as ALL_AND_DRILL, CONFIG, DELEGATE, DRILL, REVOKE,
                          ROOT_DIR, blake2b, new_enrolling, new_root,
                          open_envelope, pb, registry)
from loa_service import Asker, Postgres, Service

ALL = ALL_AND_DRILL & ~DRILL   # A drill key signs nothing else.
OK = pb.Status.CODE_OK
INVALID = pb.Status.CODE_INVALID
NOT_ALLOWED = pb.Status.CODE_NOT_ALLOWED
NOT_FOUND = pb.Status.CODE_NOT_FOUND
EXISTS = pb.Status.CODE_EXISTS
SAMPLE = os.path.join(ROOT_DIR, "deploy", "sample-areas.csv")
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

    def ask(self, who, message_id=None, limit_s=LIMIT_S, **what):
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
              limit_s=LIMIT_S):
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


def make_code(w, who, message_id=None, **more):
    fields = {"area": "vn/08/070/02215", "id": "pole_1", **more}
    return w.ask(who, message_id,
                 device_code=registry.DeviceCode(**fields))
