"""loactl as a newcomer meets it: what it refuses, what it says, what it takes.

One province, two loudspeakers; nothing is heard but a few words.
"""
import json
import os
import socket
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from province import Province, free_ports, iso, ms  # noqa: E402



def day(days, clock):
    """A time of a day to come, as Viet Nam's clocks show it."""
    at = time.gmtime(time.time() + 7 * 3600 + days * 86400)
    return time.strftime("%Y-%m-%dT", at) + clock


NIGHT, DAWN, NOON = day(3, "23:30"), day(4, "04:59"), day(3, "12:00:00")


@pytest.fixture(scope="module")
def province():
    with Province() as p:
        p.import_areas()
        p.area = p.communes()[0]
        p.speak_up({"p0": p.area, "gone": p.area})
        p.content = p.say("Mời bà con đi họp.")
        p.approve(p.content)
        yield p


def ctl(p, *args, who="lan", port=None, more=(), env=None):
    """As a person runs it: no --json, English."""
    return subprocess.run(
        [p.bin("loactl"), "--lang", "en", "--port", str(port or p.port),
         "--identity", p.key(who), *more, *map(str, args)],
        capture_output=True, text=True, env=dict(os.environ, **(env or {})))


def refused(done, *words, code=1):
    assert done.returncode == code, (done.stdout, done.stderr)
    for w in words:
        assert w in done.stderr, done.stderr


def error(done):
    return json.loads(done.stdout.strip().split("\n")[-1])["error"]


# --- the proposal -------------------------------------------------------------


def test_proposal_can_be_typed(province):
    p, start = province, ms(7200) // 1000 * 1000 + 321
    taken = p.at(p.content, p.area, start)
    done = ctl(p, "schedule", "add", p.content["content"], p.area, "--at",
               iso(start), "--yes")
    refused(done)
    free = [x for x in done.stdout.split("\n") if x.startswith("free: --at ")]
    assert len(free) == 1, done.stdout
    at = free[0].split()[-1]
    assert "." not in at
    again = ctl(p, "schedule", "add", p.content["content"], p.area, "--at", at,
                "--yes")
    assert again.returncode == 0, again.stderr
    other = p.at(p.content, p.area, start, check=False)
    answer = json.loads(other.stdout)
    assert answer["proposed_start_at_ms"] % 1000 == 0
    assert answer["error"]["code"] == "conflict" and answer["conflicts"]
    p.loactl("lan", "schedule", "cancel", taken["bulletin"])
    p.loactl("lan", "schedule", "cancel", again.stdout.split()[0])


# --- what does not exist ------------------------------------------------------


def test_no_such_target(province):
    p = province
    for args in (["status", "vn/99"], ["content", "ls", "vn/99"],
                 ["device", "ls", "vn/99"], ["schedule", "ls", "vn/99"],
                 ["watch", "vn/99"], ["device", "volume", "vn/99", "60"]):
        refused(ctl(p, *args, who="admin"), "vn/99", "no such area")
    refused(ctl(p, "content", "approve", p.content["content"], "--area",
                "vn/08/999", who="minh"), "no such area")
    refused(ctl(p, "device", "volume", p.area, "50", "--device", "nosuch",
                who="admin"), "nosuch")
    refused(ctl(p, "device", "show", "nosuch", who="admin"), "no such device")


def test_report_of_nothing(province):
    p = province
    refused(ctl(p, "report", "ab" * 16), "nothing is known")
    entry = p.at(p.content, p.area, ms(86400 * 20))
    p.loactl("lan", "schedule", "cancel", entry["bulletin"])
    assert isinstance(p.report(entry), list)
    refused(ctl(p, "report", "abcdef01"), "no bulletin begins so")
    refused(ctl(p, "report", "abc"), "hexadecimal", code=2)


def test_silence_does_not_wait_for_the_registry(province):
    """A stop is sent whatever the registry knows, and when it is away."""
    p = province
    done = ctl(p, "device", "stop", p.area, who="admin")
    assert done.returncode == 0 and "sent to" in done.stdout
    done = ctl(p, "device", "stop", "vn/99", who="admin")
    refused(done, "knows no area")
    assert "sent to vn/99" in done.stdout
    p.processes["registry"].stop()
    try:
        began = time.monotonic()
        done = ctl(p, "device", "stop", p.area, who="admin")
        assert done.returncode == 0 and "not checked" in done.stderr
        done = ctl(p, "schedule", "ls", p.area)
        assert done.returncode == 0 and "not checked" in done.stderr
        assert time.monotonic() - began < 10
    finally:
        r = p.processes["registry"]
        r.wanted = True
        r.start()
        p.wait(lambda: p.ready("registry"), 20, "registry")


def test_no_power_to_command(province):
    refused(ctl(province, "device", "stop", province.area, who="minh"),
            "lacks the power command over " + province.area)


# --- short ids ----------------------------------------------------------------


def test_short_ids(province):
    p = province
    entry = p.at(p.content, p.area, ms(86400))
    short = entry["bulletin"][:8]
    done = ctl(p, "schedule", "change", short, "--at", "+1h30m", "--dry-run")
    assert done.returncode == 0 and entry["bulletin"] in done.stdout
    assert ctl(p, "report", short).returncode == 0
    assert ctl(p, "device", "stop", p.area, "--bulletin", short,
               who="admin").returncode == 0
    assert ctl(p, "schedule", "cancel", short).returncode == 0
    listed = ctl(p, "schedule", "ls", p.area, "--until", "+2d").stdout
    assert "(cancelled)" in listed


# --- who hears it, and when ---------------------------------------------------


def test_who_will_hear(province):
    p = province
    done = ctl(p, "schedule", "add", p.content["content"], p.area, "--at",
               NOON, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "2 loudspeakers" in done.stdout and NOON[11:] in done.stdout
    answer = p.loactl("lan", "schedule", "add", p.content["content"], p.area,
                      p.communes()[1], "--at", NOON, "--dry-run")
    assert answer["entries"][0]["bulletin"] is None
    assert [a["loudspeakers"] for a in answer["audience"]] == [2, 0]
    assert all(a["name"] for a in answer["audience"])
    done = ctl(p, "schedule", "add", p.content["content"], p.communes()[1],
               "--at", NOON, "--dry-run")
    assert "no loudspeaker is enrolled there" in done.stderr


def test_people_sleep(province):
    p = province
    add = ["schedule", "add", p.content["content"], p.area, "--at", NIGHT]
    refused(ctl(p, *add), "--yes")
    done = ctl(p, *add, "--dry-run")
    assert done.returncode == 0 and "sleep" in done.stderr
    done = ctl(p, *add, "--yes")
    assert done.returncode == 0, done.stderr
    refused(ctl(p, "schedule", "change", done.stdout[:8], "--at",
                DAWN), "--yes")
    p.loactl("lan", "schedule", "cancel", done.stdout.split()[0])


# --- no connection ------------------------------------------------------------


def test_nobody_listens(province):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    began = time.monotonic()
    refused(ctl(province, "status", port=port), "no connection", code=3)
    assert time.monotonic() - began < 6


def test_another_brokers_name(province):
    began = time.monotonic()
    refused(ctl(province, "status", more=["--broker", "other"]),
            "refuses this identity", "--broker", code=3)
    assert time.monotonic() - began < 2


def test_tls_needs_its_file(province):
    refused(ctl(province, "status", more=["--ca", "/nonexistent.pem"]),
            "/nonexistent.pem", code=2)
    refused(ctl(province, "status", env={"LOA_CA": "/nonexistent.pem"}),
            "/nonexistent.pem", code=2)


# --- words --------------------------------------------------------------------


def test_words(province):
    p = province
    refused(ctl(p, "status", more=["--lang", "fr"]), "fr", code=2)
    refused(ctl(p, "completion", "zsh"), "bash", code=2)
    done = ctl(p, "content", "--help")
    assert done.returncode == 0 and "content approve" in done.stdout
    assert "schedule" not in done.stdout
    done = p.loactl("lan", "status", "vn/99", check=False)
    assert error(done)["code"] == "refused" and error(done)["vi"]
    done = p.loactl("lan", "schedule", "cancel", "00" * 16, check=False)
    assert error(done)["code"] == "not_found"
    done = p.loactl("lan", "nonsense", check=False)
    assert error(done)["code"] == "usage"
    done = ctl(p, "schedule", "add", p.content["content"], p.area, "--at",
               "+1h30", "--dry-run")
    refused(done, "+1h30m", code=2)


def test_numbers_in_json(province):
    p = province
    done = p.loactl("lan", "content", "ls", check=False)
    row = json.loads(done.stdout)[0]
    assert isinstance(row["submitted_at_ms"], int)
    for name in ("lufs", "peak_dbtp"):
        text = done.stdout.split(f'"{name}":')[1].split(",")[0]
        assert len(text.split(".")[1]) == 1, text
    row = p.loactl("admin", "status")[0]
    assert isinstance(row["last_seen_at_ms"], int)
    assert row["revoked"] is False
    row = p.loactl("admin", "device", "show", "p0")[0]
    assert row["not_after_ms"] > row["enrolled_at_ms"]
    shown = ctl(p, "device", "show", "p0", who="admin").stdout
    assert row["key"] in shown and "SN-p0" in shown


def test_deleting_is_told(province):
    p = province
    content = p.say("Nội dung này sẽ bị xoá.")
    done = ctl(p, "content", "delete", content["content"][:8])
    assert done.returncode == 0 and "in 10 min" in done.stdout, done.stdout
    line = [x for x in ctl(p, "content", "ls").stdout.split("\n")
            if x.startswith(content["content"])]
    assert "DELETING" in line[0]


def test_revoked_is_marked(province):
    p = province
    p.loactl("admin", "device", "revoke", "gone")
    listed = ctl(p, "status", who="admin").stdout
    assert "PLAYS" in listed
    assert [x for x in listed.split("\n") if "REVOKED" in x][0].startswith(
        "gone ")
    p.halt("speaker-gone")


def complete(p, *words):
    """What bash offers after these words."""
    script = (p.bin("loactl") + " completion bash > $0.sh; . $0.sh;"
              "COMP_WORDS=(loactl \"$@\"); COMP_CWORD=$#; _loactl;"
              "printf '%s\\n' \"${COMPREPLY[@]}\"")
    return set(subprocess.run(["bash", "-c", script, p.path("complete"),
                               *words], capture_output=True, text=True,
                              check=True, cwd=p.var).stdout.split())


def test_completion(province):
    p = province
    assert "content" in complete(p, "")
    assert "keys" not in complete(p, "")
    assert complete(p, "content", "") >= {"add", "say", "ls", "approve"}
    assert "keys" not in complete(p, "content", "ls", "")
    assert "keys" in complete(p, "content", "add", "k")
    assert "--title" in complete(p, "content", "add", "--t")
    assert complete(p, "--lang", "") == {"vi", "en"}
    assert complete(p, "content", "ls", "--ti") == {"--timeout"}
