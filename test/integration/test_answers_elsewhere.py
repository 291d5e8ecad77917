"""Answers of services of another area, signed with good keys: whoever owns the
broker and any authority below the root can make and deliver them."""
import os
import subprocess

from loa_broker import BUILD, Broker
from loa_identity import REVOKE, SCHEDULE, new_root
from loa_scheduler import World, pg  # noqa: F401
from loa_service import Scheduler


class Elsewhere:
    """Signs as `who`, whatever area it is asked to sign for."""

    def __init__(self, who):
        self.who = who

    def envelope(self, type_, body, **more):
        return self.who.envelope(type_, body, **{**more, "area": None})


def test_registry_of_elsewhere_names_the_areas(pg):
    w = World(pg, registry=False)
    try:
        w.check_refused_registry(Elsewhere(
            w.root.authority("province_66", "vn/66").service(
                "registry_66", "registry", "vn/66", powers=REVOKE)), "area")
    finally:
        w.close()


def test_scheduler_of_elsewhere_says_accepted(tmp_path):
    root = new_root()
    province = root.authority("province_08", "vn/08")
    lan = province.staff("lan", "vn/08/070", powers=SCHEDULE)
    true = province.service("scheduler_08", "scheduler", "vn/08",
                            powers=SCHEDULE)
    false = Elsewhere(root.authority("province_66", "vn/66").service(
        "scheduler_66", "scheduler", "vn/66", powers=SCHEDULE))
    with Broker(root) as broker:
        scheduler = Scheduler(broker, true, signer=false)

        def cancel():
            return subprocess.run(
                [os.path.join(BUILD, "loactl"), "--lang", "en", "--port",
                 str(broker.port), "--identity",
                 lan.save(str(tmp_path / "lan.id")), "--timeout", "2",
                 "schedule", "cancel", "ab" * 16],
                capture_output=True, text=True, timeout=60)

        done = cancel()
        assert done.returncode != 0, done
        assert "cannot be believed (area)" in done.stderr, done
        scheduler.signer = true
        done = cancel()
        assert "cannot be believed" not in done.stderr, done
