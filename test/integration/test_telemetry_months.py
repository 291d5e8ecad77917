"""Months of the telemetry collector's tables: made ahead, dropped when old, never
one that is young."""
import time

import pytest

from loa_broker import wait_until
from loa_service import Shift
from telemetry_fixtures import (AREA, World, postgres, raw,  # noqa: F401
                                receipt)

DAY_S = 86400


@pytest.fixture(scope="module", name="shift")
def clock_that_is_set():
    shift = Shift()
    yield shift
    shift.remove()


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
        shift.set(900 * DAY_S)
        w.service.start(**shift.env)
        wait_until(lambda: month(900) in months(pg, "receipt"), "made ahead")
        housekept(w, 2)
        assert month(-399) in months(pg, "receipt")
        assert w.count("receipt") == 3
        w.service.stop()
        # So does one that runs behind.
        shift.set(-300 * DAY_S)
        w.service.start(**shift.env)
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


def test_dropping_a_month_of_health_read_all_of_it(pg):
    """While nobody could write, it looked for rows that cannot be there, to
    insert them again; those of receipts can."""
    with World(pg):
        old_rows(pg, 480, late_too=True)
        pg.query(
            "CREATE FUNCTION public.no() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'looked for late rows'; END$$; "
            "CREATE TRIGGER no BEFORE INSERT ON telemetry.health "
            "FOR EACH STATEMENT EXECUTE FUNCTION public.no()")
        try:
            assert pg.one("SELECT telemetry.drop_partitions('health', now(), "
                          "400) > 0") == "t"
        finally:
            pg.query("DROP FUNCTION public.no CASCADE")
        assert month(-480) not in months(pg, "health")
        pg.query("SELECT telemetry.drop_partitions('receipt', now(), 400)")
        assert month(-480) not in months(pg, "receipt")
        assert pg.query("SELECT sequence FROM telemetry.receipt") == [["10480"]]


def test_the_default_partition_filled_faster_than_it_emptied(pg):
    """Receipts of clocks that make no sense: 10,000 of them went in an hour."""
    with World(pg):
        pg.query(
            "INSERT INTO telemetry.receipt (device, log_id, sequence, at, area,"
            " bulletin_id, event, reason, first_sample_us, at_us, played_ms, "
            "concealed_ms, committed_at) SELECT 'd', '', n, 'epoch', 'vn', '', "
            "4, '', 0, 0, 0, 0, now() - interval '401 days' "
            "FROM generate_series(1, 20000) n")
        pg.query("SELECT telemetry.drop_partitions('receipt', now(), 400)")
        assert pg.one("SELECT count(*) FROM telemetry.receipt") == "0"
