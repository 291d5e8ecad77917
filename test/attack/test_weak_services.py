"""P8 #9: who has a service's name in a certificate, but not its power, answers for
nobody. The registry's key, which is online, can issue such certificates."""
import os
import subprocess

import loa_identity as li
from loa_broker import BUILD, Broker
from loa_scheduler import World, pg  # noqa: F401
from loa_service import Scheduler


def cancel(broker, who, folder):
    """What loactl says of the answer; it asks until it believes one."""
    return subprocess.run(
        [os.path.join(BUILD, "loactl"), "--lang", "en", "--port",
         str(broker.port), "--identity", who.save(str(folder / "id")),
         "--timeout", "2", "schedule", "cancel", "ab" * 16],
        capture_output=True, text=True, timeout=60, check=False)


def test_a_scheduler_without_powers_answers(tmp_path):
    """Its own login is enough to be asked, and to say "cancelled"."""
    root = li.new_root()
    province = root.authority("province_08", "vn/08")
    lan = province.staff("lan", "vn/08/070", powers=li.SCHEDULE)
    registry = province.service("registry_08", "registry", "vn/08",
                                powers=li.DELEGATE | li.REVOKE, max_depth=1)
    weak = registry.service("scheduler_1", "scheduler", "vn/08")
    with Broker(root) as broker:
        false = Scheduler(broker, weak)
        done = cancel(broker, lan, tmp_path)
        assert done.returncode != 0, done
        assert "cannot be believed (power)" in done.stderr, done
        false.signer = province.service("scheduler_08", "scheduler", "vn/08",
                                        powers=li.SCHEDULE | li.TIME)
        done = cancel(broker, lan, tmp_path)
        assert "cannot be believed" not in done.stderr, done


def test_a_registry_without_powers_names_the_areas(pg):  # noqa: F811
    """It may issue (DELEGATE), but revoke nobody."""
    w = World(pg, registry=False)
    try:
        w.check_refused_registry(w.province.service(
            "registry_1", "registry", w.area, powers=li.DELEGATE, max_depth=1),
            "power")
    finally:
        w.close()
