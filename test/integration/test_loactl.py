"""loactl as a newcomer meets it: what it refuses, what it says, what it takes.

One province, two loudspeakers; nothing is heard but a few words.
"""
import json
import os
import socket
import subprocess
import sys
import time
import wave

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from province import Province, iso, ms  # noqa: E402



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


def vi(p, *args, who="lan"):
    return ctl(p, "--lang", "vi", *args, who=who)


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


def test_no_such_content_gave_no_next_step(province):
    for digits in ("00" * 4, "00" * 32):
        done = ctl(province, "content", "delete", digits)
        refused(done, "content ls")
        refused(vi(province, "content", "delete", digits), "content ls")


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


def test_an_unknown_area_fell_silent(province):
    p = province
    done = ctl(p, "device", "stop", "vn/99", who="admin")
    refused(done, "knows no area")
    assert "sent to vn/99; who" in done.stdout, done.stdout
    done = ctl(p, "device", "stop", p.area, who="admin")
    assert f"sent to {p.area}: every" in done.stdout, done.stdout


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
    listed = ctl(p, "schedule", "ls", p.area, "--until", "+2d")
    assert entry["bulletin"] not in listed.stdout
    listed = ctl(p, "schedule", "ls", p.area, "--until", "+2d", "--all").stdout
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


def test_only_the_true_reason(province):
    """Outside one's area the registry answers, and does not tell."""
    p = province
    p.issue("authority", "hoa", "staff", p.area, "schedule")
    content = p.say("Tin của xã.", who="hoa")
    p.approve(content)
    done = ctl(p, "schedule", "add", content["content"], p.communes()[1],
               "--at", NOON, who="hoa")
    refused(done, p.communes()[1])
    assert "registry" not in done.stderr, done.stderr


def test_weekly(province):
    p = province
    until = day(30, "23:00")
    monday = next(day(n, "12:00") for n in range(1, 8) if time.gmtime(
        time.time() + 7 * 3600 + n * 86400).tm_wday == 0)
    add = ["schedule", "add", p.content["content"], p.area, "--at", monday,
           "--repeat", "weekly:mon,thu", "--until", until]
    shown = vi(p, *add)
    assert shown.returncode == 0, shown.stderr
    end = "/".join(reversed(until[:10].split("-")))
    assert f"thứ hai, thứ năm hằng tuần đến {end}; lần tới " in shown.stdout
    assert "lần nữa" not in shown.stdout
    listed = ctl(p, "schedule", "ls", p.area, "--until", "+20d").stdout
    assert f"every Monday, Thursday until {until[:10]}; next " in listed
    assert ctl(p, "schedule", "cancel", shown.stdout[:8]).returncode == 0
    assert "Monday" not in ctl(p, "schedule", "ls", p.area, "--until",
                               "+20d").stdout


# --- what the loudspeakers did ------------------------------------------------


def test_heard_and_stopped(province):
    """Stopped in the middle: schedule and report tell their own halves."""
    p = province
    content = p.say("Kính mời bà con đi họp thôn. " * 8)
    p.approve(content)
    entry = p.at(content, p.area, ms(10))
    short = entry["bulletin"][:8]
    p.wait(lambda: {r["event"] for r in p.report(entry)} >= {"started"}, 60,
           "started")
    assert "1 đang phát" in vi(p, "report", short).stdout \
        or "2 đang phát" in vi(p, "report", short).stdout
    one = vi(p, "device", "stop", "--device", "p0", who="admin")
    assert one.returncode == 0 and "riêng loa p0" in one.stdout, one.stderr
    p.wait(lambda: [r["device"] for r in p.report(entry)
                    if r["event"] == "interrupted"] == ["p0"], 10, "p0 alone")
    done = vi(p, "device", "stop", who="admin")
    assert done.returncode == 0 and "mọi loa ở đó dừng phát" in done.stdout
    p.wait(lambda: [r["event"] for r in p.report(entry)].count(
        "interrupted") == 2, 30, "interrupted")
    listed = vi(p, "schedule", "ls", p.area).stdout
    assert "(đến giờ phát)" in listed and "đang phát" not in listed
    assert "loactl report " + short in listed
    lines = vi(p, "report", short).stdout.strip().split("\n")
    assert lines[0] == ("0 đã phát xong, 2 bị ngắt, 0 từ chối, 0 chưa báo")
    assert len(lines) == 4 and all("bị ngắt" in x and "có lệnh dừng" in x
                                   and " ms" in x for x in lines[2:]), lines
    assert not any(x != x.rstrip() for x in lines)
    english = ctl(p, "report", short, "--all").stdout.strip().split("\n")
    assert english[0].startswith("0 finished, 2 interrupted, 0 refused")
    assert len(english) == 2 + len(p.report(entry))
    assert any("started" in x for x in english)
    for r in p.report(entry):
        assert r["bulletin"] == entry["bulletin"]
        assert r["start_at_ms"] is None or r["start_at_ms"] > 0
        assert (r["first_sample_us"] is None) == (r["event"] not in (
            "started", "finished")) or r["event"] == "interrupted"


def test_watch_of_a_broker_that_goes(province):
    p = province
    out = p.path("watch.txt")
    with open(out, "w") as f:
        w = subprocess.Popen(
            [p.bin("loactl"), "--lang", "vi", "--port", str(p.port),
             "--identity", p.key("admin"), "watch"], stdout=f, stderr=f)
    try:
        p.wait(lambda: "p0  trực tuyến" in open(out).read(), 20, "watch")
        p.processes["mosquitto"].stop()
        p.wait(lambda: "mất kết nối với máy chủ" in open(out).read(), 20,
               "gone")
        b = p.processes["mosquitto"]
        b.wanted = True
        b.start()
        p.wait(lambda: "đã nối lại với máy chủ" in open(out).read(), 30,
               "back")
    finally:
        w.terminate()
        w.wait()
    text = open(out).read()
    assert text.count("mất kết nối với máy chủ") == 1
    assert not any(x != x.rstrip() for x in text.split("\n"))
    for name in ("registry", "content-ingest", "scheduler",
                 "telemetry-collector"):
        p.wait(lambda: p.ready(name), 30, name)
    p.wait(lambda: all(d["presence"] == "online"
                       for d in p.loactl("admin", "status")
                       if not d["revoked"]), 60, "speakers")


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
    both = [ctl(p, "--lang", lang, "--help").stdout.split("\n  completion")[0]
            .split("\n\n")[2].split("\n") for lang in ("vi", "en")]
    assert len(both[0]) == len(both[1]) > 20
    assert not set(both[0]) & set(both[1])  # Each command in both languages.
    done = p.loactl("lan", "status", "vn/99", check=False)
    assert error(done)["code"] == "refused" and error(done)["vi"]
    done = p.loactl("lan", "schedule", "cancel", "00" * 16, check=False)
    assert error(done)["code"] == "not_found"
    done = p.loactl("lan", "nonsense", check=False)
    assert error(done)["code"] == "usage"
    done = ctl(p, "schedule", "add", p.content["content"], p.area, "--at",
               "+1h30", "--dry-run")
    refused(done, "+1h30m", code=2)


def test_wrong_words(province):
    p = province
    done = vi(p, "schedule", "them")
    refused(done, '"them"', "add, ls, change, cancel", code=2)
    refused(ctl(p, "nonsense"), '"nonsense"', code=2)
    refused(ctl(p, "content", "say", "Mời", "bà", "con"), "quotes", code=2)
    refused(ctl(p, "content", "say", " "), "is empty", code=2)
    refused(ctl(p, "content", "say", "a" * 70000), "70000", "65536", code=2)
    refused(vi(p, "content", "add", "/nonexistent.wav"),
            "không có tệp hoặc thư mục này", code=2)
    refused(ctl(p, "schedule", "add", p.content["content"], p.area, "--at",
                "25:00"), "hours 0 to 23", code=2)
    done = ctl(p, "schedule", "add", p.content["content"], p.area, "--at",
               "12h30", "--dry-run")
    assert done.returncode == 0 and "12:30:00" in done.stdout, done.stderr
    assert ctl(p, "device", "volume", p.area, "80%", who="admin"
               ).returncode == 0
    refused(ctl(p, "device", "volume", p.area, "80%%", who="admin"), code=2)
    refused(ctl(p, "device", "stop", "p0", who="admin"), "area find",
            "device stop --device p0")
    refused(ctl(p, "device", "show", p.area), code=1)


def test_files(province):
    """chmod is advised of an identity alone."""
    p = province
    shared, other = p.path("shared.id"), p.path("other.txt")
    with open(p.key("lan")) as f, open(shared, "w") as g:
        g.write(f.read())
    with open(other, "w") as f:
        f.write("x")
    os.chmod(shared, 0o644)
    os.chmod(other, 0o644)
    refused(vi(p, "key", "show", shared), "chmod 600 " + shared, code=2)
    done = vi(p, "key", "show", other)
    refused(done, "không phải tệp danh tính", code=2)
    assert "chmod" not in done.stderr
    done = vi(p, "key", "show", p.var)
    refused(done, "đây là thư mục", code=2)
    assert "chmod" not in done.stderr
    os.unlink(shared)


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
            if x.startswith(content["content"][:12])]
    assert "DELETING" in line[0] and "Nội dung này sẽ bị xoá." in line[0]


def test_contents_in_columns(province):
    p = province
    long = p.say("Kính thưa bà con, ngày mai trạm y tế xã tổ chức tiêm phòng "
                 "miễn phí cho trẻ em.")
    assert long["title"].startswith("Kính thưa bà con, ngày mai")
    assert long["title"].endswith("…") and len(long["title"]) < 60
    lines = vi(p, "content", "ls").stdout.rstrip("\n").split("\n")
    assert lines[0].split("  ")[0] == "MÃ" and "ĐƯỢC DUYỆT CHO" in lines[0]
    column = lines[0].index("TIÊU ĐỀ")
    row = [x for x in lines if x.startswith(long["content"][:12])][0]
    assert row[column:].startswith("Kính thưa") and row.endswith("chưa duyệt")
    assert "văn bản" in row and "lan" in row
    row = [x for x in lines if x.startswith(p.content["content"][:12])][0]
    assert row.endswith("  vn")


def test_export_overwrites_nothing(province):
    p = province
    out = p.path("tin.opus")
    assert ctl(p, "content", "export", p.content["content"], out
               ).returncode == 0
    refused(ctl(p, "content", "export", p.content["content"], out), "--force",
            code=2)
    assert ctl(p, "content", "export", p.content["content"], out, "--force"
               ).returncode == 0


def test_a_stuck_microphone(province):
    """Hardly any sound is told at once, and again to who approves."""
    p = province
    path = p.path("quiet.wav")
    with wave.open(path, "wb") as w:
        w.setnchannels(1)
        w.setsampwidth(2)
        w.setframerate(16000)
        w.writeframes(b"".join(
            (n * 7919 % 13 - 6).to_bytes(2, "little", signed=True)
            for n in range(48000)))
    done = vi(p, "content", "add", path)
    assert done.returncode == 0 and "gần như im lặng" in done.stderr, done
    done = ctl(p, "content", "approve", done.stdout.split()[0], who="minh")
    assert done.returncode == 0 and "microphone" in done.stderr
    assert "silent" not in ctl(p, "content", "say", "Xin chào bà con."
                               ).stderr


def test_revoked_while_it_waits(province):
    p = province
    p.loactl("admin", "device", "enrol", p.area, "--id", "waits")
    done = ctl(p, "device", "revoke", "waits", who="admin")
    assert done.returncode == 0 and "never enrolled" in done.stdout
    assert "list" not in done.stdout
    assert "revoked" in ctl(p, "device", "show", "waits", who="admin").stdout
    p.loactl("admin", "device", "enrol", p.area, "--id", "waits")
    assert "waiting" in ctl(p, "device", "show", "waits", who="admin").stdout
    done = vi(p, "device", "revoke", "loa_zzz", who="admin")
    refused(done, "không có thiết bị hay người nào tên loa_zzz")


def test_a_person_unknown_was_called_a_device(province):
    done = ctl(province, "principal", "revoke", "nobody", who="admin")
    refused(done, "no device or person nobody", "principal add")


def test_revoking_a_person_cancelled_without_a_word(province):
    p = province
    for who in ("binh", "cuong"):
        p.issue("authority", who, "staff", p.area, "schedule")
        p.loactl(who, "principal", "add")
    done = ctl(p, "principal", "revoke", "binh", who="admin")
    assert done.returncode == 0 and "cancelled" in done.stdout, done.stderr
    assert "schedule ls --all" in done.stdout
    done = vi(p, "principal", "revoke", "cuong", who="admin")
    assert "bị huỷ" in done.stdout and "schedule ls --all" in done.stdout


def test_issue_says_what_it_issued(province):
    p = province
    path = p.path("moi.id")
    assert ctl(p, "key", "new", path).returncode == 0
    done = vi(p, "key", "issue", path, "--principal", "moi", "--role", "staff",
              "--area", p.area, "--powers", "schedule", who="authority")
    assert done.returncode == 0, done.stderr
    for word in ("moi", "staff", "schedule", p.area, "đến 20"):
        assert word in done.stdout, done.stdout


def test_revoked_is_marked(province):
    p = province
    done = p.loactl("admin", "device", "revoke", "gone")
    assert done["certificates"] == 1 and done["number"] > 0
    done = ctl(p, "device", "revoke", "gone", who="admin")
    assert "certificates: 1)" in done.stdout, done.stdout
    listed = ctl(p, "status", who="admin").stdout
    assert "PLAYS" in listed
    assert [x for x in listed.split("\n") if "REVOKED" in x][0].startswith(
        "gone ")
    p.halt("speaker-gone")
