"""What loa-telemetry-collector must not lose: receipts that cannot be read, rows
that the database refuses, states that a broker drops."""
import os
import subprocess
import time

from loa_broker import BUILD, wait_until
from loa_identity import device, pb, services
from loa_service import Asker
from telemetry_fixtures import (AREA, World, bad_text,  # noqa: F401
                                postgres, raw, receipt)


# --- devices -----------------------------------------------------------------


def test_devices_beyond_the_maximum_were_dropped_silently(pg):
    with World(pg, "--devices-max", "16") as w:
        w.service.start()
        for i in range(20):
            w.state(f"pole_{i:02d}")
        name = "loa_telemetry_devices_turned_away_total"
        wait_until(lambda: w.service.metric(name) == 4, "four turned away")
        for i in range(30):
            w.state(f"more_{i:02d}")
        wait_until(lambda: w.service.metric(name) == 34, "all turned away")
        assert w.service.metric("loa_telemetry_devices") == 16
        assert w.service.metric("loa_telemetry_devices_max") == 16
        assert w.service.log().count("event=device.turned_away") == 1
        lan = w.ministry.staff("lan", "vn/08")
        asker = Asker(w.broker.connect(lan), lan)
        sent, _ = asker.send("telemetry-collector", pb.TYPE_TELEMETRY_REQUEST,
                             services.TelemetryRequest(
                                 devices=services.DeviceStatusFind()))
        answer = asker.wait(sent, services.TelemetryAnswer)
        assert answer.turned_away_n == 34
        assert len(answer.devices) == 16
        told = subprocess.run(
            [os.path.join(BUILD, "loactl"), "--lang", "en", "--port",
             str(w.broker.port), "--identity",
             lan.save(os.path.join(w.service.folder, "lan.id")), "status"],
            capture_output=True, text=True)
        assert "devices-max" in told.stderr and told.returncode == 0, told
        # More rows than it may know do not keep it from starting.
        w.wait_count("device", 16)
        pg.query("INSERT INTO telemetry.device (device, area, last_seen) "
                 "SELECT 'old_' || n, 'vn/08', now() - interval '1 year' "
                 "FROM generate_series(1, 9) n")
        w.service.kill()
        w.service.start()
        assert w.service.metric("loa_telemetry_devices") == 16
        assert w.service.metric(name) >= 9


def test_rows_of_a_failed_batch_were_forgotten(pg):
    """The database refuses for a while, for no row's fault."""
    with World(pg) as w:
        pg.query(
            "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = '53100'; "
            "END$$; CREATE TRIGGER no BEFORE INSERT ON telemetry.device "
            "EXECUTE FUNCTION public.no()")
        try:
            w.service.start()
            for i in range(30):
                w.state(f"pole_{i:02d}")
            wait_until(lambda: "event=device.unsaved" in w.service.log(),
                       "a failure")
            assert w.count("device") == 0
        finally:
            pg.query("DROP FUNCTION public.no CASCADE")
        w.wait_count("device", 30)
        assert w.service.metric("loa_telemetry_devices_unsaved_total") == 0


def test_a_refused_device_kept_the_others_from_the_table(pg):
    with World(pg) as w:
        pg.query("ALTER TABLE telemetry.device ADD CONSTRAINT no "
                 "CHECK (device <> 'pole_13')")
        try:
            w.service.start()
            for i in range(30):
                w.state(f"pole_{i:02d}")
            w.wait_count("device", 29)
            wait_until(lambda: w.service.metric(
                "loa_telemetry_devices_unsaved_total") == 1, "given up")
        finally:
            pg.query("ALTER TABLE telemetry.device DROP CONSTRAINT no")


# --- receipts ----------------------------------------------------------------


def test_receipts_behind_an_unreadable_one_were_stuck(pg):
    with World(pg) as w:
        w.service.start()
        pole = w.ministry.device("pole_1", AREA)
        assert w.client.subscribe(f"loa/1/down/ack/{AREA}/@pole_1") == 1
        batch = raw(receipt(1), receipt(2, event=9), bad_text(3), b"\xff\xff",
                    receipt(5, bulletin_id=b"short"),
                    receipt(6, reason="x" * 64), receipt(7))
        for _ in range(2):  # The first acknowledgement was lost.
            w.receipts(pole, batch)
            ack = w.ack(pole)
            assert ack.committed_sequence == 7
            assert list(ack.refused_sequences) == [2, 3, 4, 5, 6]
        rows = pg.query("SELECT sequence, why, length(raw) > 0 FROM "
                        "telemetry.receipt_refused ORDER BY 1")
        assert rows == [["2", "event", "t"], ["3", "reason", "t"],
                        ["4", "malformed", "t"], ["5", "bulletin", "t"],
                        ["6", "reason", "t"]]
        assert pg.query("SELECT sequence FROM telemetry.receipt ORDER BY 1") \
            == [["1"], ["7"]]
        # What is behind them goes on, and nobody is told of them again.
        w.receipts(pole, raw(receipt(8), oldest=8))
        ack = w.ack(pole)
        assert ack.committed_sequence == 8 and not ack.refused_sequences
        # One that stands alone: its number is that of the oldest kept.
        w.receipts(pole, raw(b"\xff", oldest=9))
        ack = w.ack(pole)
        assert ack.committed_sequence == 9
        assert list(ack.refused_sequences) == [9]
        assert w.service.metric("loa_telemetry_receipts_refused_total") == 11
        assert w.service.log().count("event=receipt.set_aside") == 11
        w.receipts(pole, b"\xff")
        wait_until(lambda: w.service.metric(
            "loa_telemetry_batches_malformed_total") == 1, "nothing of it")


def test_a_receipt_that_the_database_refuses_stopped_the_collector(pg):
    with World(pg) as w:
        pg.query("ALTER TABLE telemetry.receipt ADD CONSTRAINT no "
                 "CHECK (reason <> 'poison')")
        try:
            w.service.start()
            poles = [w.ministry.device(f"pole_{i}", AREA) for i in range(12)]
            assert w.client.subscribe("loa/1/down/ack/vn/08/#") == 1
            for i, pole in enumerate(poles):
                w.receipts(pole, raw(*(
                    receipt(n, reason="poison" if i % 5 == 0 and n in (3, 4)
                            else "Hà Nội\t\\") for n in range(1, 7))))
            for i, pole in enumerate(poles):
                ack = w.ack(pole)
                assert ack.committed_sequence == 6
                assert list(ack.refused_sequences) == (
                    [3, 4] if i % 5 == 0 else [])
            assert pg.query(
                "SELECT device, sequence, why FROM telemetry.receipt_refused "
                "ORDER BY 1, 2") == [
                    [f"pole_{i}", str(n), "database 23514"]
                    for i in (0, 10, 5) for n in (3, 4)]
            assert w.count("receipt") == 12 * 6 - 6
            assert b"poison" in bytes.fromhex(pg.one(
                "SELECT encode(raw, 'hex') FROM telemetry.receipt_refused "
                "LIMIT 1"))
            assert w.service.process.poll() is None
        finally:
            pg.query("ALTER TABLE telemetry.receipt DROP CONSTRAINT no")


def test_killed_between_the_halves_of_a_batch(pg):
    """The first part of a batch that was cut noted all of it as committed. After
    a kill -9 there, whoever sent the rest in another batch was told that it
    had been stored."""
    with World(pg) as w:
        pole = w.ministry.device("pole_1", AREA)
        assert w.client.subscribe(f"loa/1/down/ack/{AREA}/#") == 1
        pg.query("""
            CREATE FUNCTION telemetry.stall() RETURNS trigger AS $$ BEGIN
                IF EXISTS (SELECT FROM telemetry.receipt WHERE sequence = 1
                           AND xmin <> pg_current_xact_id()::xid)
                THEN PERFORM pg_sleep(60); END IF;
                RAISE check_violation;
            END $$ LANGUAGE plpgsql;
            CREATE TRIGGER stall BEFORE INSERT ON telemetry.receipt
            FOR EACH ROW WHEN (NEW.sequence = 2)
            EXECUTE FUNCTION telemetry.stall()""")
        try:
            w.service.start()
            said = [receipt(n) for n in range(1, 9)]
            w.receipts(pole, raw(*said))
            w.wait_count("receipt", 1)
            w.service.kill()
        finally:
            pg.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE usename = 'loa_telemetry';"
                     "DROP FUNCTION telemetry.stall CASCADE")
        assert pg.one("SELECT committed FROM telemetry.device") == "1"
        w.service.start()
        w.receipts(pole, raw(*said[:2]))
        assert w.ack(pole).committed_sequence == 2
        assert w.count("receipt") == 2


def test_health_that_the_database_refuses_stopped_the_collector(pg):
    with World(pg) as w:
        pg.query("ALTER TABLE telemetry.health ADD CONSTRAINT no "
                 "CHECK (volume_percent <> 13)")
        try:
            w.service.start()
            w.health("pole_1", volume_percent=13)
            wait_until(lambda: w.service.metric(
                "loa_telemetry_health_dropped_total") == 1, "dropped")
            w.health("pole_1", volume_percent=14)
            w.wait_count("health", 1)
        finally:
            pg.query("ALTER TABLE telemetry.health DROP CONSTRAINT no")


def test_one_commit_for_more_devices_than_may_be_unacknowledged(pg):
    """600 devices, 512 messages without a PUBACK: the others heard nothing."""
    n = 600
    with World(pg) as w:
        w.service.start()
        pole = [w.ministry.device(f"pole_{i}", AREA) for i in range(n)]
        assert w.client.subscribe("loa/1/down/ack/vn/08/#") == 1
        with pg.holding("LOCK TABLE telemetry.receipt IN SHARE MODE"):
            for p in pole:
                w.receipts(p, raw(receipt(1)))
            wait_until(lambda: w.service.metric(
                "loa_telemetry_receipts_total") == n, "all taken")
            assert w.count("receipt") == 0
        acked = set()
        while len(acked) < n:
            m = w.client.wait_message()
            acked.add(m.topic)
        assert w.count("receipt") == n


# --- retained states ---------------------------------------------------------


def test_states_beyond_a_brokers_queue_were_lost(pg):
    """3,000 retained states of 1,500 areas change while the collector is away;
    Mosquitto keeps 1,000 of them for its subscription."""
    n = 3000
    with World(pg) as w:
        def area(i):
            return f"vn/08/{i // 300:03d}/{i // 2:04d}"

        def everybody(session, presence):
            for i in range(n):
                w.state(f"pole_{i}", area(i), presence, session)
                if i % 200 == 0:
                    time.sleep(0.1)
            w.client.drain()

        def said(session):
            return pg.one("SELECT count(*) FROM telemetry.device WHERE "
                          f"session = {session}") == str(n)

        ear = w.broker.connect(w.ministry.staff("ear", "vn/08"))
        assert ear.subscribe("loa/1/pub/summary/vn/08/#") == 1
        w.service.start()
        everybody(1, device.PRESENCE_ONLINE)
        wait_until(lambda: said(1), "all are known")
        w.service.kill()
        everybody(2, device.PRESENCE_LOST)
        ear.drain()
        w.service.start()
        wait_until(lambda: said(2), "all are lost")
        # Every area's summary says so, although they are more than may be
        # published at once.
        last = {}

        def all_told():
            while not ear.messages.empty():
                m = ear.messages.get()
                s = services.Summary.FromString(m.payload)
                last[s.area] = s.lost_n
            return (last.get("vn/08") == n and
                    all(last.get(area(i)) == 2 for i in range(n)))
        wait_until(all_told, "all summaries")
        # A database that knows nobody: who speaks is asked for its state.
        w.service.kill()
        pg.query("TRUNCATE telemetry.device")
        w.service.start()
        for i in range(n):
            w.health(f"pole_{i}", area(i))
            if i % 100 == 0:
                time.sleep(0.1)
        wait_until(lambda: said(2), "all are known again")


def test_an_old_state_moved_a_device_back_where_it_was(pg):
    """Both are retained: that of the area it left, and that of the new one."""
    with World(pg) as w:
        w.state("pole_1", "vn/08/071", session=2)
        w.state("pole_1", "vn/08/070", session=1)
        w.client.drain()

        def where():
            return pg.query("SELECT area, session, last_seen < '1990-01-01' "
                            "FROM telemetry.device WHERE device = 'pole_1'")
        w.service.start()
        wait_until(lambda: where() == [["vn/08/071", "2", "t"]], "it is there")
        # A state that is only retained does not say that it lives.
        w.state("pole_1", "vn/08/070", session=1)
        w.health("pole_1", "vn/08/071")
        wait_until(lambda: where() == [["vn/08/071", "2", "f"]], "it lives")
        w.state("pole_2", "vn/08/070", session=1)  # Saved later than all that.
        wait_until(lambda: w.count("device") == 2, "the next is saved")
        assert where() == [["vn/08/071", "2", "f"]]
