"""What the tests of the telemetry collector begin with."""
import re
import time

import pytest

from loa_broker import LIMIT_S, Broker, wait_until
from loa_identity import device, new_root, open_envelope, pb
from loa_service import Postgres, Service

AREA = "vn/08/070"
NOT_UTF8 = "Hà Nội".encode("utf-16")


@pytest.fixture(name="pg", scope="module")
def postgres():
    with Postgres() as pg:
        yield pg


def without_plugin(text):
    """One client may speak for many devices; the limits stay."""
    return re.sub(r"(?m)^plugin.*\n", "", text).replace(
        "allow_anonymous false", "allow_anonymous true")


class World:
    """A broker without the plugin, the collector of vn/08, an empty database,
    and one client that speaks for every device."""

    def __init__(self, pg, *options):
        self.pg = pg
        self.root = new_root()
        self.ministry = self.root.authority("ministry", "vn")
        self.broker = Broker(self.root, edit=without_plugin)
        self.options = options

    def __enter__(self):
        self.pg.query("TRUNCATE telemetry.device, telemetry.receipt, "
                      "telemetry.health, telemetry.receipt_refused, "
                      "telemetry.inbox, telemetry.trust_list")
        self.broker.start()
        self.service = Service(
            "telemetry-collector", self.ministry.service(
                "tc", "telemetry-collector", "vn/08"), self.pg, self.broker,
            *self.options, schema="telemetry")
        self.client = self.broker.connect(self.ministry.staff("anybody",
                                                              "vn/08"))
        return self

    def __exit__(self, *_):
        self.service.remove()
        self.broker.__exit__()

    def state(self, name, area=AREA, presence=device.PRESENCE_ONLINE, session=1):
        self.client.mqtt.publish(
            f"loa/1/up/state/{area}/@{name}", device.State(
                presence=presence, session=session).SerializeToString(),
            1, True)

    def health(self, name, area=AREA, **more):
        self.client.mqtt.publish(
            f"loa/1/up/health/{area}/@{name}",
            device.Health(at_ms=1, **more).SerializeToString(), 0)

    def receipts(self, who, batch):
        """batch: a ReceiptBatch, a RawReceiptBatch, or bytes."""
        body = batch if isinstance(batch, bytes) else batch.SerializeToString()
        assert self.client.publish(
            f"loa/1/up/receipt/{who.area}/@{who.principal}",
            who.envelope(pb.TYPE_RECEIPTS, body)) in (0, 0x10)

    def ack(self, who):
        m = self.client.wait_message(
            f"loa/1/down/ack/{who.area}/@{who.principal}")
        return device.Ack.FromString(open_envelope(m.payload)[0].body)

    def count(self, what):
        return int(self.pg.one(f"SELECT count(*) FROM telemetry.{what}"))

    def wait_count(self, what, n, limit_s=LIMIT_S):
        wait_until(lambda: self.count(what) == n, f"{n} in {what}", limit_s)


def receipt(sequence, **more):
    fields = {"bulletin_id": bytes(16), "event": 4,
              "at_us": time.time_ns() // 1000, **more}
    return device.Receipt(sequence=sequence, **fields)


def raw(*receipts, log_id=b"L" * 16, oldest=1):
    """A batch whose receipts may be bytes that are none."""
    return device.RawReceiptBatch(
        log_id=log_id, oldest_sequence=oldest, receipts=[
            r if isinstance(r, bytes) else r.SerializeToString()
            for r in receipts])


def bad_text(sequence):
    """A receipt whose reason is not UTF-8; protobuf for Python cannot say it."""
    good = receipt(sequence, reason="x" * len(NOT_UTF8)).SerializeToString()
    return good.replace(b"x" * len(NOT_UTF8), NOT_UTF8)
