"""What loa-telemetry-collector must not lose: receipts that cannot be read, rows
that the database refuses, states that a broker drops, months that are young."""
import os
import re
import subprocess
import time

import pytest

from loa_broker import BUILD, LIMIT_S, Broker, wait_until
from loa_identity import device, new_root, open_envelope, pb, services
from loa_service import Asker, Postgres, Service

HERE = os.path.dirname(os.path.realpath(__file__))
DAY_S = 86400
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


# --- months ------------------------------------------------------------------


@pytest.fixture(scope="module", name="shift")
def build_shift(tmp_path_factory):
    library = str(tmp_path_factory.mktemp("shift") / "clock_shift.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-D_GNU_SOURCE", "-o",
                    library, os.path.join(HERE, "clock_shift.c"), "-ldl"],
                   check=True)
    return library


def months(pg, parent):
    return [r[0][-6:] for r in pg.query(
        "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = "
        f"'telemetry.{parent}'::regclass ORDER BY 1") if "default" not in r[0]]


def month(days):
    return time.strftime("%Y%m", time.gmtime(time.time() + days * DAY_S))


def make_months(pg, at):
    """As the collector does: the tables are its own."""
    pg.query("SET ROLE loa_telemetry; "
             f"SELECT telemetry.make_partitions({at})")


def old_rows(pg, days, late_too=False):
    """One receipt and one health report of so many days ago, in their month."""
    at = f"now() - interval '{days} days'"
    make_months(pg, at)
    for came, seq in ((at, days), ("now()", days + 10000)) if late_too else (
            (at, days),):
        pg.query(
            "INSERT INTO telemetry.receipt (device, log_id, sequence, at, area,"
            " bulletin_id, event, reason, first_sample_us, at_us, played_ms, "
            f"concealed_ms, committed_at) VALUES ('d', '', {seq}, {at}, 'vn', "
            f"'', 4, '', 0, 0, 0, 0, {came})")
    pg.query("INSERT INTO telemetry.health SELECT 'd', 'vn', "
             f"{at}, 0, 0, 0, 0, 0, false, 0, 0, 0, 0, 0, 0")


def housekept(w, times):
    wait_until(lambda: w.service.metric("loa_telemetry_housekeeping_total")
               >= times, "months are looked after")


def test_months_were_never_dropped(pg, shift):
    with World(pg, "--housekeeping-interval", "200ms", "--keep-health-days",
               "40") as w:
        for days in (399, 480):
            old_rows(pg, days, late_too=days == 480)
        old_rows(pg, 39)
        for days in (399, 401):
            pg.query("INSERT INTO telemetry.receipt_refused VALUES ('d', '', "
                     f"{days}, 'vn', 'event', '', now() - interval '{days} "
                     "days')")
        w.service.start()
        wait_until(lambda: month(-480) not in months(pg, "receipt"), "dropped")
        wait_until(lambda: month(-399) not in months(pg, "health"), "dropped")
        have = months(pg, "receipt")
        # Within the 400 days, and what came in within them.
        assert month(-399) in have and month(-39) in have
        assert [r[0] for r in pg.query(
            "SELECT sequence FROM telemetry.receipt ORDER BY 1")] == [
                "39", "399", "10480"]
        assert month(-39) in months(pg, "health")
        assert w.count("health") == 1
        w.wait_count("receipt_refused", 1)
        assert "event=partitions.dropped" in w.service.log()
        # The months to come are there.
        for days in (0, 31, 59):
            assert month(days) in have and month(days) in months(pg, "health")
        w.service.stop()
        # A clock that runs ahead makes its months, and drops nothing.
        w.service.start(LD_PRELOAD=shift, CLOCK_SHIFT_S=str(900 * DAY_S))
        wait_until(lambda: month(900) in months(pg, "receipt"), "made ahead")
        housekept(w, 2)
        assert month(-399) in months(pg, "receipt")
        assert w.count("receipt") == 3
        w.service.stop()
        # So does one that runs behind.
        w.service.start(LD_PRELOAD=shift, CLOCK_SHIFT_S=str(-300 * DAY_S))
        housekept(w, 2)
        assert month(-399) in months(pg, "receipt")
        w.service.stop()
        # 400 days on, by both clocks: the database's is the rows' age.
        for parent in ("receipt", "health"):
            assert pg.one(f"SELECT telemetry.drop_partitions('{parent}', now(), "
                          "330) > 0") == ("t" if parent == "receipt" else "f")
        assert month(-399) not in months(pg, "receipt")


def test_a_backup_kept_the_collector_from_starting(pg):
    """It holds the tables while a month is to be made."""
    with World(pg) as w:
        pg.query(f"DROP TABLE telemetry.receipt_{month(0)}")
        with pg.holding("LOCK TABLE telemetry.receipt_default "
                        "IN ACCESS SHARE MODE"):
            w.service.start()
            assert "event=partitions.unmade" in w.service.log()
            pole = w.ministry.device("pole_1", AREA)
            assert w.client.subscribe(f"loa/1/down/ack/{AREA}/@pole_1") == 1
            w.receipts(pole, raw(receipt(1)))
            assert w.ack(pole).committed_sequence == 1
            assert w.count("receipt_default") == 1
        w.service.kill()
        w.service.start()
        assert w.count("receipt_default") == 0 and w.count("receipt") == 1


def test_a_wrong_clock_kept_a_month_from_being_made(pg):
    """A row of the month after next, in the default partition."""
    with World(pg) as w:
        make_months(pg, "now()")
        at = "now() + interval '100 days'"
        pg.query(
            "INSERT INTO telemetry.receipt (device, log_id, sequence, at, area,"
            " bulletin_id, event, reason, first_sample_us, at_us, played_ms, "
            f"concealed_ms) VALUES ('d', '', 1, {at}, 'vn', '', 4, '', 0, 0, "
            "0, 0)")
        before = month(100) in months(pg, "receipt")
        make_months(pg, at)
        assert not before and month(100) in months(pg, "receipt")
        assert pg.one("SELECT tableoid::regclass FROM telemetry.receipt"
                      ).endswith(month(100))
        assert w.count("receipt_default") == 0
