"""loa-telemetry-collector asked by staff, on a real broker and database."""
import os

import pytest

from loa_broker import Broker, wait_until
from loa_identity import device, new_root, pb, services
from loa_service import Asker, Postgres, Service

DEVICES = 40


@pytest.fixture(name="pg", scope="module")
def postgres():
    with Postgres() as pg:
        yield pg


def check_summaries(ask):
    """They ended at the two hundredth without a word."""
    areas, after = [], ""
    while True:
        a = ask(summary=services.SummaryFind(after=after, limit=4))
        assert a.status.code == pb.Status.CODE_OK, a.status
        assert 0 < len(a.summaries) <= 4
        areas += [(s.area, s.online_n + s.lost_n + s.disconnected_n)
                  for s in a.summaries]
        after = a.next
        if not after:
            break
    assert areas == [("vn/08", DEVICES)] + [
        (f"vn/08/{i:03d}", DEVICES // 4) for i in range(4)]


def test_pages_hold_what_fits(pg):
    """Devices that say as much as is kept of them: every one is listed, and a
    page never grows beyond a message."""
    root = new_root()
    ministry = root.authority("ministry", "vn")
    lan = ministry.staff("lan", "vn/08")
    collector = ministry.service("tc", "telemetry-collector", "vn")
    with Broker(root) as broker:
        s = Service("telemetry-collector", collector, pg, broker,
                    schema="telemetry")
        try:
            s.start()
            for i in range(DEVICES):
                area = f"vn/08/{i % 4:03d}"
                pole = broker.connect(ministry.device(f"pole_{i:02d}", area))
                pole.publish(
                    f"loa/1/up/state/{area}/@pole_{i:02d}", device.State(
                        presence=device.PRESENCE_ONLINE, session=1,
                        model="x" * 990).SerializeToString(), retain=True)
                pole.publish(
                    f"loa/1/up/health/{area}/@pole_{i:02d}", device.Health(
                        at_ms=1, faults=["y" * 990]).SerializeToString())
                pole.close()
            asker = Asker(broker.connect(lan), lan)

            def ask(**what):
                sent, _ = asker.send("telemetry-collector",
                                     pb.TYPE_TELEMETRY_REQUEST,
                                     services.TelemetryRequest(**what))
                return asker.wait(sent, services.TelemetryAnswer)

            def everybody():
                found, after, pages_n = [], "", 0
                while True:
                    a = ask(devices=services.DeviceStatusFind(after=after))
                    assert a.status.code == pb.Status.CODE_OK, a.status
                    found += a.devices
                    pages_n += 1
                    after = a.next
                    if not after:
                        return found, pages_n
            wait_until(lambda: len(everybody()[0]) == DEVICES, "all devices")
            found, pages_n = everybody()
            assert [d.device for d in found] == [f"pole_{i:02d}"
                                                 for i in range(DEVICES)]
            assert pages_n > 1 and all(d.HasField("health") for d in found)
            check_summaries(ask)
            a = ask(bulletin=services.BulletinReport(
                bulletin_id=os.urandom(16)))
            assert a.status.code == pb.Status.CODE_OK and not a.receipts
            a = ask(bulletin=services.BulletinReport(
                bulletin_id=os.urandom(16), under="vn/09"))
            assert a.status.code == pb.Status.CODE_NOT_ALLOWED
        finally:
            s.remove()
