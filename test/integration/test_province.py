"""One province speaks: what the whole must do, on real parts, end to end."""
import json
import os
import shutil
import subprocess
import time

import pytest

from province import LIMIT_S, TOP, Province, iso, ms, wavcheck

#  What each tier says in test_tiers; short, and unlike each other.
WORDS = {"central": "Trung ương thông báo.",
         "province": "Uỷ ban tỉnh mời họp.",
         "district": "Trung tâm huyện phát thanh buổi sáng.",
         "other": "Lịch tiêm phòng của bà con.",
         "commune": "Hợp tác xã bán giống lúa mới.",
         "cancelled": "Bản tin này sẽ bị huỷ bỏ.",
         "moved": "Giờ họp đã được dời lại.",
         "replaced": "Nội dung cũ không được phát.",
         "instead": "Nội dung mới thay cho nội dung cũ."}


@pytest.fixture(scope="module")
def province():
    with Province() as p:
        p.import_areas()
        yield p


@pytest.fixture(scope="module")
def communes(province):
    """Nine loudspeakers, one in each of nine communes of three districts."""
    communes = province.communes()
    by_district = {}
    for c in communes:
        by_district.setdefault(c.rsplit("/", 1)[0], []).append(c)
    districts = [d for d, cs in by_district.items() if len(cs) >= 3][:3]
    chosen = [c for d in districts for c in by_district[d][:3]]
    assert len(districts) == 3 and len(chosen) == 9
    province.speak_up({f"p{i}": c for i, c in enumerate(chosen)})
    return chosen


@pytest.fixture(scope="module")
def said(province):
    """Contents by name, approved everywhere."""
    contents = {}
    for name, text in WORDS.items():
        contents[name] = province.say(text)
        province.approve(contents[name])
    return contents


def devices_below(communes, area):
    return {f"p{i}" for i, c in enumerate(communes)
            if c == area or c.startswith(area + "/")}


def test_tiers(province, communes, said):
    """Bulletins at all four tiers, several at once, cancelled, moved and
    replaced before they start, reach exactly the communes below."""
    district, other = (c.rsplit("/", 1)[0] for c in (communes[0], communes[3]))
    start = ms(12)

    def after(*names):
        return start + sum(said[n]["duration_ms"] + 400 for n in names)

    longest = max(("district", "other"),
                  key=lambda n: said[n]["duration_ms"])
    plan = {
        "central": (["vn"], start),
        "province": ([district.rsplit("/", 1)[0]], after("central")),
        "district": ([district], after("central", "province")),
        "other": ([other], after("central", "province")),  # At the same time.
        "commune": ([communes[1], communes[8]],
                    after("central", "province", longest)),
        "moved": ([communes[4]], after("central", "province", longest) + 60000),
        "replaced": ([communes[6]],
                     after("central", "province", longest) + 120000),
        "cancelled": ([communes[2]], after("central", "province", longest)),
    }
    entries = {n: province.at(said[n], areas, at)
               for n, (areas, at) in plan.items()}
    late = after("central", "province", longest)
    province.loactl("lan", "schedule", "cancel",
                    entries["cancelled"]["bulletin"])
    province.loactl("lan", "schedule", "change", entries["moved"]["bulletin"],
                    "--at", iso(late), "--yes")
    province.loactl("lan", "schedule", "change",
                    entries["replaced"]["bulletin"], "--at", iso(late),
                    "--yes", "--content", said["instead"]["content"])

    expected = {n: set().union(*(devices_below(communes, a) for a in areas))
                for n, (areas, _) in plan.items()}
    expected["cancelled"] = set()
    province.wait(lambda: all(
        province.who(entries[n], "finished") >= expected[n] for n in plan),
        60, "every bulletin")
    for n in plan:
        assert province.who(entries[n], "finished") == expected[n], n
        assert not province.who(entries[n], "interrupted"), n

    sounding = {n: expected[n] for n in plan if n not in ("cancelled",
                                                          "replaced")}
    sounding["instead"] = expected["replaced"]
    for i in range(9):
        for n in WORDS:
            heard = province.heard(f"p{i}", said[n])
            if f"p{i}" in sounding.get(n, ()):
                assert heard >= 0.9, (i, n, heard)
            else:
                assert heard < 0.7, (i, n, heard)


def test_text_is_what_the_engine_says(province, communes):
    """A Vietnamese text on air against the engine's own speech, which took no
    part of Loa's path; elsewhere digital silence."""
    text = "Kính mời bà con đến nhà văn hoá. Cuộc họp bắt đầu lúc bảy giờ tối."
    spoken = province.path("engine.wav")
    subprocess.run(["espeak-ng", "-v", "vi", "-s", "150", "-w", spoken, text],
                   check=True)
    content = province.say(text)
    province.approve(content)
    start = ms(4)
    entry = province.at(content, communes[8], start)
    province.wait(lambda: "p8" in province.who(entry, "finished"), LIMIT_S,
                  "p8")
    played = wavcheck.read(province.path("wav", "p8.wav"))
    found = wavcheck.check(played, wavcheck.read(spoken))
    assert found["correlation"] >= 0.9, found
    assert found["gap_ms"] <= 20 and found["repeats"] == 0, found
    assert province.heard("p7", content) < 0.7
    late = [r["first_sample_us"] / 1000 - start for r in
            province.report(entry) if r["event"] == "started"]
    assert len(late) == 1 and abs(late[0]) <= 200, late


def test_overlap_is_refused_with_a_free_slot(province, communes, said):
    start = ms(3600)
    province.at(said["central"], communes[0], start)
    done = province.at(said["other"], communes[0].rsplit("/", 1)[0],
                       start + 500, check=False)
    assert done.returncode == 1, done.stderr
    answer = json.loads(done.stdout)
    assert answer["conflicts"] and answer["proposed_start_at_ms"]
    free = province.at(said["other"], communes[0].rsplit("/", 1)[0],
                       answer["proposed_start_at_ms"])
    assert free["starts_at_ms"] == [answer["proposed_start_at_ms"]]


# --- what may not sound -------------------------------------------------------


def silence_follows(province, entry, device, until_ms):
    """The moment passes (seen by the wall clock) and nobody has begun."""
    province.wait(lambda: ms(0) > until_ms + 1500, 60, "the moment")
    assert not province.who(entry, "started")
    assert not province.who(entry, "finished")


def test_not_approved(province, communes):
    content = province.say("Chưa ai duyệt bản tin này.")
    done = province.at(content, communes[0], ms(60), check=False)
    assert done.returncode == 1 and "not approved" in done.stderr


def test_approved_for_another_area(province, communes):
    content = province.say("Chỉ được duyệt cho một xã khác.")
    province.approve(content, area=communes[1])
    done = province.at(content, communes[0], ms(60), check=False)
    assert done.returncode == 1 and "not approved" in done.stderr


def test_approver_revoked_in_between(province, communes):
    province.issue("authority", "thu", "staff", "vn", "content-approve")
    province.loactl("thu", "principal", "add")
    content = province.say("Người duyệt bản tin này sẽ bị thu hồi.")
    province.approve(content, who="thu")
    start = ms(9)
    entry = province.at(content, communes[0], start)
    province.wait(lambda: "p0" in province.who(entry, "verified"), LIMIT_S,
                   "p0 verified")
    province.loactl("admin", "principal", "revoke", "thu")
    silence_follows(province, entry, "p0", start)
    assert province.heard("p0", content) < 0.7
    row = [r for r in province.loactl("lan", "content", "ls")
           if r["content"] == content["content"]][0]
    assert not row["approved"] and row["revoked_approvers"] == ["thu"]
    listed = subprocess.run(
        [province.bin("loactl"), "--lang", "en", "--port", str(province.port),
         "--identity", province.key("lan"), "content", "ls"],
        capture_output=True, text=True, check=True).stdout
    assert "not approved any more, revoked: thu" in listed, listed


def test_revoked_device_is_cut_off_at_once(province, communes, said):
    province.speak_up({"stolen": communes[0]})
    province.loactl("admin", "device", "revoke", "stolen")
    province.wait(lambda: "stolen" not in province.online(), 10, "cut off")
    start = ms(4)
    entry = province.at(said["commune"], communes[0], start)
    province.wait(lambda: "p0" in province.who(entry, "finished"), LIMIT_S,
                   "p0")
    assert "stolen" not in province.who(entry, "received")
    assert "stolen" not in province.online()
    assert province.silent("stolen")
    province.halt("speaker-stolen")


# --- what must come back ------------------------------------------------------


def test_broker_without_memory_is_whole_in_10_s(province, communes, said):
    entry = province.at(said["commune"], communes[1], ms(1800))
    topics = [f"loa/1/down/programme/{communes[1]}",
              f"loa/1/down/head/{communes[1]}", "loa/1/down/trust/vn",
              f"loa/1/up/state/{communes[1]}/@p1",
              "loa/1/pub/summary/vn"]
    for t in topics:
        province.wait(lambda: province.retained("lan", t), 10, t)
    before = province.retained("lan", topics[0])
    province.kill("mosquitto")
    began = time.monotonic()
    province.wait(lambda: all(province.retained("lan", t, 1) for t in topics),
                   15, "everything retained again")
    assert time.monotonic() - began < 15
    assert province.retained("lan", topics[0]) == before
    province.wait(lambda: province.online() >= {f"p{i}" for i in range(9)},
                   35, "all online again")
    province.loactl("lan", "schedule", "cancel", entry["bulletin"])


def test_speaker_that_was_off_catches_up(province, communes):
    province.processes["speaker-p4"].stop()
    content = province.say("Loa này đã tắt khi nội dung được gửi đi.")
    province.approve(content)
    start = ms(25)
    entry = province.at(content, communes[4], start)
    # The push is over when the service has nothing more to send.
    province.wait(lambda: province.loactl("lan", "content", "ls")[0][
        "needed_by"], 10, "the service knows the need")
    began = time.monotonic()
    p = province.processes["speaker-p4"]
    p.wanted = True
    p.start()
    province.wait(lambda: "p4" in province.who(entry, "verified"), 10,
                   "programme and content within 10 s")
    assert time.monotonic() - began < 10
    province.wait(lambda: "p4" in province.who(entry, "finished"), 40, "said")
    assert province.heard("p4", content) >= 0.9


@pytest.mark.parametrize("name", ["scheduler", "content-ingest", "registry",
                                  "telemetry-collector", "postgres"])
def test_service_killed_and_work_goes_on(province, communes, name):
    province.kill(name)
    content = province.say(f"Dịch vụ {name} vừa bị dừng đột ngột.")
    province.approve(content)
    entry = province.at(content, communes[5], ms(5))
    province.wait(lambda: "p5" in province.who(entry, "finished"), LIMIT_S,
                   "said")
    assert province.heard("p5", content) >= 0.9
    finished = [r for r in province.report(entry) if r["device"] == "p5"
                and r["event"] == "finished"]
    assert len(finished) == 1


# --- strangers join -----------------------------------------------------------


def decode(payload, view):
    done = subprocess.run(
        ["protoc", "-I", os.path.join(TOP, "proto"), "--decode",
         "loa.v1." + view, "loa/v1/view.proto"], input=payload,
        capture_output=True, cwd=TOP)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_protoc_reads_messages(province, communes, said):
    entry = province.at(said["district"], communes[7], ms(2000))
    area = communes[7]
    province.wait(lambda: entry["bulletin"] and province.retained(
        "lan", f"loa/1/down/programme/{area}"), 10, "programme")
    programme = decode(province.retained("lan", f"loa/1/down/programme/{area}"),
                       "ProgrammeView")
    assert f'area: "{area}"' in programme and "TYPE_PROGRAMME" in programme
    assert 'principal: "minh"' in programme
    assert "TYPE_HEAD" in decode(
        province.retained("lan", f"loa/1/down/head/{area}"), "HeadView")
    assert "TYPE_TRUST" in decode(
        province.retained("lan", "loa/1/down/trust/vn"), "TrustView")
    state = province.retained("lan", f"loa/1/up/state/{area}/@p7")
    done = subprocess.run(["protoc", "-I", os.path.join(TOP, "proto"),
                           "--decode", "loa.v1.State", "loa/v1/device.proto"],
                          input=state, capture_output=True, cwd=TOP)
    assert b"PRESENCE_ONLINE" in done.stdout, done.stderr


def test_players_open_the_archive(province, said):
    path = province.path("archive.opus")
    province.loactl("lan", "content", "export", said["central"]["content"],
                    path, "--force")
    for argv in (["opusdec", "--quiet", path, path + ".wav"],
                 ["ffmpeg", "-v", "error", "-y", "-i", path, path + "2.wav"]):
        done = subprocess.run(argv, capture_output=True, text=True)
        assert done.returncode == 0 and "rror" not in done.stderr, done.stderr


def test_tables_have_comments(province):
    bare = province.sql(
        "SELECT string_agg(n.nspname || '.' || c.relname, ' ') FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN "
        "('r', 'p') AND NOT c.relispartition AND n.nspname IN ('registry', "
        "'content', 'scheduler', 'telemetry', 'loa') AND "
        "obj_description(c.oid, 'pg_class') IS NULL")
    assert bare == ""


def test_services_cannot_read_each_other(province):
    with pytest.raises(Exception, match="permission denied"):
        province.sql("SELECT * FROM registry.trust_list", role="loa_scheduler")


def test_migrations_are_safe_to_repeat(province):
    done = subprocess.run([os.path.join(TOP, "schema", "migrate"),
                           province.conninfo("loa")], capture_output=True,
                          text=True)
    assert done.returncode == 0 and done.stdout == "", done.stderr


@pytest.mark.parametrize("service", ["registry", "content-ingest", "scheduler",
                                     "telemetry-collector"])
def test_promtool_accepts_metrics(province, service):
    import urllib.request
    url = f"http://127.0.0.1:{province.service_port(service)}"
    text = urllib.request.urlopen(url + "/metrics").read()
    done = subprocess.run(["promtool", "check", "metrics"], input=text,
                          capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert urllib.request.urlopen(url + "/healthz").status == 200


# --- wrong input ----------------------------------------------------------------


def refused(done, *words):
    """One clear sentence on stderr, an exit that says so, no crash."""
    assert done.returncode in (1, 2), (done.returncode, done.stderr)
    lines = [x for x in done.stderr.strip().split("\n") if x]
    assert lines, done
    for w in words:
        assert w in done.stderr, done.stderr


def sox(path, *args):
    subprocess.run(["sox", "-n", "-r", "8000", "-c", "1", path, *args],
                   check=True)
    return path


def test_wrong_files(province):
    def add(path):
        return province.loactl("lan", "content", "add", path, check=False)

    before = province.loactl("lan", "content", "ls")
    empty = province.path("empty.wav")
    open(empty, "w").close()
    refused(add(empty), "empty")
    good = sox(province.path("good.wav"), "synth", "3", "sine", "440")
    cut = province.path("cut.wav")
    with open(good, "rb") as f, open(cut, "wb") as g:
        g.write(f.read()[:20000])
    refused(add(cut), "truncated")
    text = province.path("text.wav")
    with open(text, "w") as f:
        f.write("This is no sound at all.\n" * 1000)
    refused(add(text))
    refused(add(sox(province.path("zero.wav"), "trim", "0", "0")))
    huge = province.path("huge.wav")
    with open(huge, "wb") as f:
        f.truncate(2 << 30)
    refused(add(huge), "512")
    os.unlink(huge)
    refused(add("/nonexistent.wav"), "No such file")
    assert province.loactl("lan", "content", "ls") == before


def test_five_hours(province):
    path = province.path("long.flac")
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i",
                    "anullsrc=r=8000:cl=mono", "-t", str(5 * 3600), path],
                   check=True)
    done = province.loactl("lan", "content", "add", path, check=False,
                           timeout=200)
    refused(done, "long")
    os.unlink(path)


def test_wrong_texts(province):
    def say(data):
        return subprocess.run(
            [province.bin("loactl"), "--lang", "en", "--json", "--port",
             str(province.port), "--identity", province.key("lan"), "content",
             "say", "-"], input=data, capture_output=True)

    for data, word in ((b"", b"empty"), (b"a \xff\xfe b", b"UTF-8"),
                       (b"x" * (1 << 20), b"at most 65536")):
        done = say(data)
        assert done.returncode in (1, 2) and word in done.stderr, done


def test_wrong_schedules(province, communes, said):
    content = said["central"]["content"]

    def add(area, at):
        return province.loactl("lan", "schedule", "add", content, area, "--at",
                               at, check=False)

    refused(add("vn/99/999", "+1h"))
    refused(add("Không có xã này", "+1h"), "no such area")
    refused(add(communes[0], "2020-01-01T05:00"))
    refused(add(communes[0], "2027-02-29T05:00"), "no such day")
    refused(add(communes[0], "2027-13-01T05:00"), "month")
    refused(province.loactl("lan", "schedule", "cancel", "00" * 16,
                            check=False))
    refused(province.loactl("minh", "schedule", "add", content, communes[0],
                            "--at", "+1h", check=False))
    refused(province.loactl("lan", "content", "approve", content, check=False))


def test_wrong_certificates(province):
    """Too much power is refused when it is issued; an expired one at login."""
    key = province.path("keys", "greedy.id")
    province.offline("key", "new", key)
    done = subprocess.run(
        [province.bin("loactl"), "--lang", "en", "--identity",
         province.key("registry"), "key", "issue", key, "--principal",
         "greedy", "--role", "staff", "--area", "vn", "--powers", "schedule"],
        capture_output=True, text=True)
    assert done.returncode == 1 and "chain-powers" in done.stderr

    import loa_identity
    root = loa_identity.load(province.key("root"))
    old = root.staff("old", "vn", powers=0,
                     not_before_ms=ms(-2000), not_after_ms=ms(-1000))
    old.save(province.key("old"))
    done = province.loactl("old", "status", check=False, timeout=3)
    assert done.returncode == 3 and "refuses this identity" in done.stderr


def demo(*args):
    return subprocess.run(
        ["/usr/bin/python3", os.path.join(TOP, "deploy/local/demo.py"), *args],
        capture_output=True, text=True, cwd=TOP,
        env=dict(os.environ, LOA_LANG="en"))


def test_busy_port(province, tmp_path):
    done = demo("--var", str(tmp_path / "v"), "--port", str(province.port))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "PORT=N" in done.stderr


def test_same_place_twice(province):
    done = demo("--var", province.var, "--port", "29000")
    assert done.returncode == 1 and "VAR=DIR" in done.stderr


def test_full_disk(province, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs",
                    str(small)], check=True)
    try:
        done = demo("--var", str(small / "v"), "--port", "29100")
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "MB are free" in done.stderr


def test_nothing_is_left_behind():
    """Stopped by a signal, a stack leaves no process and no lock."""
    with Province() as p:
        p.import_areas()
        pids = [x.popen.pid for x in p.processes.values()]
        var = p.var
        assert os.path.exists(os.path.join(var, "lock"))
        os.environ["LOA_KEEP"] = "1"
    try:
        for pid in pids:
            assert not os.path.exists(f"/proc/{pid}"), pid
        assert not os.path.exists(os.path.join(var, "lock"))
    finally:
        del os.environ["LOA_KEEP"]
        shutil.rmtree(os.path.dirname(var), ignore_errors=True)
