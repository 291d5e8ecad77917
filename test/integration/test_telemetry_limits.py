"""What one device, or whoever stole its key, may cost the collector: rows, lines
of the log, and how long its word outlives the theft."""
import time

from loa_broker import wait_until
from loa_identity import device, pb, services
from loa_service import Asker
from telemetry_fixtures import (AREA, World, postgres, raw,  # noqa: F401
                                receipt)

HEALTH_MAX, RECEIPTS_MAX, LINES_MAX = 6, 10000, 64  # budget.h
BATCH = 64


def metric(w, name):
    return w.service.metric(f"loa_telemetry_{name}_total")


def lines(w, event):
    return w.service.log().count(f"event={event} device=pole_1")


def test_health_of_one_device_filled_the_database(pg):
    """Each report became a row: 20,000 in two seconds."""
    with World(pg) as w:
        w.service.start()
        for i in range(300):
            w.health("pole_1", volume_percent=i % 100)
        w.health("pole_1", volume_percent=42)
        w.health("pole_2")
        wait_until(lambda: w.count("health WHERE device = 'pole_2'") == 1,
                   "the other's")
        n = w.count("health WHERE device = 'pole_1'")
        assert HEALTH_MAX <= n < 100
        assert metric(w, "health_unstored") == 301 - n

        # What it said last is known all the same.
        def last():
            return [device.Health.FromString(bytes.fromhex(h)).volume_percent
                    for h, in pg.query("SELECT encode(health, 'hex') FROM "
                                       "telemetry.device WHERE device = "
                                       "'pole_1' AND health IS NOT NULL")]
        wait_until(lambda: last() == [42], "the last word")


def test_receipts_of_one_device_filled_the_database(pg):
    """Beyond what a week without network brings they are neither stored nor
    acknowledged: they come again."""
    batches_n = RECEIPTS_MAX // BATCH + 20
    with World(pg) as w:
        w.service.start()
        pole = w.ministry.device("pole_1", AREA)
        other = w.ministry.device("pole_2", AREA)
        assert w.client.subscribe(f"loa/1/down/ack/{AREA}/#") == 1
        for i in range(batches_n):
            w.receipts(pole, raw(*(receipt(i * BATCH + n + 1)
                                   for n in range(BATCH))))
        wait_until(lambda: metric(w, "receipts") / BATCH + metric(
            w, "batches_limited") == batches_n, "all are judged")
        limited = metric(w, "batches_limited")
        assert 10 <= limited <= 20
        w.wait_count("receipt", (batches_n - limited) * BATCH)
        assert w.count("receipt") >= RECEIPTS_MAX - BATCH
        assert 0 < lines(w, "receipt.limited") <= limited
        committed = 0
        while committed < (batches_n - limited) * BATCH:
            committed = w.ack(pole).committed_sequence
        assert committed == (batches_n - limited) * BATCH
        w.receipts(other, raw(receipt(1)))
        assert w.ack(other).committed_sequence == 1


def test_one_device_filled_the_log(pg):
    """A line for each state, each bad batch, each receipt set aside."""
    with World(pg) as w:
        w.service.start()
        pole = w.ministry.device("pole_1", AREA)
        for i in range(100):
            w.state("pole_1", session=i + 1)
        w.receipts(pole, raw(*(receipt(n, event=9) for n in range(1, 65))))
        for _ in range(100):
            w.receipts(pole, b"\xff")
        wait_until(lambda: metric(w, "batches_malformed") == 100, "all came")
        said = sum(lines(w, event) for event in (
            "device.state", "receipt.set_aside", "receipt.malformed"))
        assert LINES_MAX <= said < 100
        assert metric(w, "lines_unsaid") == 264 - said
        w.state("pole_2")
        wait_until(lambda: "event=device.state device=pole_2" in
                   w.service.log(), "the other has its own")


def test_a_false_session_outlived_its_key(pg):
    """A goodbye with the highest session there is: the loudspeaker was
    disconnected for ever, after a restart too."""
    said = f"device WHERE device = 'pole_1' AND state = '\\x{{}}' AND session = {{}}"

    def known(presence, session):
        state = device.State(presence=presence, session=session)
        return w.count(said.format(state.SerializeToString().hex(),
                                   session)) == 1
    with World(pg) as w:
        def lie():
            w.state("pole_1", presence=device.PRESENCE_DISCONNECTED,
                    session=2**63 - 1)
        w.service.start()
        lie()
        wait_until(lambda: w.count("device"), "it is known")
        now = int(pg.one("SELECT extract(epoch FROM now())::bigint"))
        assert abs(int(pg.one("SELECT session FROM telemetry.device"))
                   - now - 86400) < 3600
        # What it says itself counts, although its sessions began long ago.
        w.state("pole_1", session=1700000000)
        wait_until(lambda: known(device.PRESENCE_ONLINE, 1700000000), "online")
        w.state("pole_1", presence=device.PRESENCE_LOST, session=1700000000)
        wait_until(lambda: known(device.PRESENCE_LOST, 1700000000), "lost")
        # What an older collector has stored.
        w.service.kill()
        pg.query("UPDATE telemetry.device SET session = 9223372036854775807")
        w.service.start()
        w.state("pole_1", session=1700000001)
        wait_until(lambda: known(device.PRESENCE_ONLINE, 1700000001),
                   "online again")
        w.service.kill()
        pg.query("UPDATE telemetry.device SET session = 9223372036854775807")
        w.service.start()
        assert abs(int(pg.one("SELECT session FROM telemetry.device"))
                   - now - 86400) < 3600


def test_receipts_of_tomorrow_counted_today(pg):
    """A loudspeaker whose clock is ahead was counted when it spoke, and again
    after each restart until its day was over."""
    tomorrow_us = (time.time_ns() // 1000) + 86400 * 1000000
    with World(pg) as w:
        w.service.start()
        pole = w.ministry.device("pole_1", AREA)
        lan = w.ministry.staff("lan", "vn/08")
        assert w.client.subscribe(f"loa/1/down/ack/{AREA}/@pole_1") == 1

        def finished():
            asker = Asker(w.broker.connect(lan), lan)
            sent, _ = asker.send("telemetry-collector",
                                 pb.TYPE_TELEMETRY_REQUEST,
                                 services.TelemetryRequest(
                                     summary=services.SummaryFind()))
            return [s.finished_today_n for s in asker.wait(
                sent, services.TelemetryAnswer).summaries]
        w.receipts(pole, raw(receipt(1, at_us=tomorrow_us)))
        assert w.ack(pole).committed_sequence == 1
        assert finished() == [0, 0]  # vn/08 and vn/08/070
        w.service.kill()
        w.service.start()
        assert finished() == [0, 0]
