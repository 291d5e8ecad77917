"""loactl report of what the collector has, also when a loudspeaker's log of
receipts began anew; loactl watch of what one may not see."""
import json
import os
import subprocess

from loa_broker import BUILD, Broker
from loa_identity import new_root
from telemetry_fixtures import (AREA, World, postgres, raw,  # noqa: F401
                                receipt)

BULLETIN = b"bulletin of logs"
RECEIVED, FINISHED, REFUSED = 1, 4, 6


class Report:
    """A world, one loudspeaker in it, and who asks about it."""

    def __init__(self, world):
        self.world = world
        world.service.start()
        self.pole = world.ministry.device("pole_1", AREA)
        assert world.client.subscribe(f"loa/1/down/ack/{AREA}/#") == 1
        self.key = world.ministry.staff("lan", "vn/08").save(
            os.path.join(world.service.folder, "lan.id"))

    def say(self, log_id, first, *events):
        last = first + len(events) - 1
        self.world.receipts(self.pole, raw(
            *(receipt(first + i, event=e, bulletin_id=BULLETIN)
              for i, e in enumerate(events)), log_id=log_id, oldest=first))
        assert self.world.ack(self.pole).committed_sequence == last

    def ask(self, *options):
        done = subprocess.run(
            [os.path.join(BUILD, "loactl"), "--lang", "en", "--port",
             str(self.world.broker.port), "--identity", self.key, *options,
             "report", BULLETIN.hex()], capture_output=True, text=True)
        assert done.returncode == 0, done
        return done.stdout


def test_report_showed_the_last_word_of_the_old_log(pg):
    """The numbers of the new log are lower: what came last was shown as if it
    had come before."""
    with World(pg) as w:
        report = Report(w)
        report.say(b"A" * 16, 101, RECEIVED, FINISHED)
        assert "1 finished, 0 interrupted, 0 refused" in report.ask()
        report.say(b"B" * 16, 1, RECEIVED, REFUSED)
        said = report.ask()
        assert "0 finished, 0 interrupted, 1 refused" in said
        assert "refused" in [x for x in said.split("\n") if "pole_1" in x][0]
        assert len(json.loads(report.ask("--json"))) == 4


def test_watch_elsewhere_tried_for_ever(tmp_path):
    """The broker ends the connection of who subscribes outside the own area:
    "the connection is lost; trying again", without end."""
    root = new_root()
    lan = root.authority("ministry", "vn").staff("lan", "vn/08")
    with Broker(root) as broker:
        for area in ("vn/09", "vn/080"):
            done = subprocess.run(
                [os.path.join(BUILD, "loactl"), "--lang", "en", "--port",
                 str(broker.port), "--identity",
                 lan.save(str(tmp_path / "lan.id")), "watch", area],
                capture_output=True, text=True, timeout=60)
            assert done.returncode == 1, done
            assert done.stderr.strip().split("\n")[-1].endswith(
                f"{area} is not within your area: you may watch vn/08 and "
                "below"), done


def test_report_lost_a_number_that_two_logs_have(pg):
    """The first page, of 200, ended between the two: the second was skipped."""
    with World(pg) as w:
        report = Report(w)
        for first in range(1, 241, 60):
            report.say(b"A" * 16, first, *[RECEIVED] * 60)
        for sequence in (200, 201):
            report.say(b"B" * 16, sequence, REFUSED)
        rows = json.loads(report.ask("--json"))
        assert sorted(r["sequence"] for r in rows) == sorted(
            [*range(1, 241), 200, 201])
