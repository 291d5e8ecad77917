"""loa-registry: the tree of areas, imported, found, synced."""
import csv
import io
import os
import time
import unicodedata

import pytest
from loa_identity import DELEGATE, ROOT_DIR, now_ms, open_envelope, pb, registry
from loa_registry import (ALL, HEADER, INVALID, NOT_ALLOWED, NOT_FOUND, OK,
                          PART, SAMPLE, postgres, read, registrar_, world)

SHARED = os.environ.get("LOA_DATA",
                        os.path.join(ROOT_DIR, "..", "shared", "data"))


# --- areas


def test_sample_tree_is_imported_found_and_synced(w, registrar):
    a = w.import_csv(registrar, read(SAMPLE))
    assert a.status.code == OK, a.status
    assert (a.added_n, a.changed_n, a.unchanged_n, a.version) == (15, 0, 0, 1)
    a = w.import_csv(registrar, read(SAMPLE))
    assert (a.added_n, a.changed_n, a.unchanged_n, a.version) == (0, 0, 15, 1)

    for text in ("vn/08", "08", "Tỉnh Tuyên Quang", "tỉnh tuyên quang",
                 unicodedata.normalize("NFD", "Tuyên Quang"), "tuyen quang",
                 "TUYEN QUANG"):
        assert w.find(registrar, text)[0].path == "vn/08", text
    assert [x.path for x in w.find(registrar, "dak lak")] == ["vn/66"]
    assert [x.path for x in w.find(registrar, "M'Đrắk")] == ["vn/66/647"]
    assert [x.path for x in w.find(registrar, under="vn/08",
                                   children_only=True)] == [
        "vn/08/070", "vn/08/075"]
    below = w.find(registrar, under="vn/08", limit=2)
    assert [x.path for x in below] == sorted(x.path for x in below)
    assert len(below) == 8

    rows, version = w.sync(registrar)
    assert version == 1 and len(rows) == 15
    assert {r.path for r in rows} == {x.path for x in w.find(registrar)}
    assert w.sync(registrar, since=1) == ([], 1)
    w.restart()
    assert w.sync(registrar)[0] == rows


def test_history_codes_and_ids(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    before = now_ms()
    while now_ms() == before:  # What ends in this moment was not there in it.
        pass
    a = w.import_csv(registrar, HEADER + "02551,,closed,\n"
                     "02215,08,commune,Phường Minh Xuân\n")
    assert (a.status.code, a.changed_n) == (OK, 2), a.status.text_en
    a = w.import_csv(registrar, HEADER + "02551,075,commune,Xã Khác Hẳn\n")
    assert (a.status.code, a.added_n) == (OK, 1), a.status.text_en

    for _ in range(2):
        assert w.find(registrar, "02551")[0].path == "vn/08/075/02551_2"
        assert w.find(registrar, "Tân Trào") == []
        old = w.find(registrar, "Tân Trào", at_ms=before)
        assert [x.path for x in old] == ["vn/08/075/02551"]
        assert old[0].valid_until_ms > before
        assert w.find(registrar, "Ỷ La", at_ms=before)[0].path == \
            "vn/08/070/02215"
        assert w.find(registrar, "02215")[0].path == "vn/08/02215"
        rows, version = w.sync(registrar, since=1)
        assert version == 3
        assert [(r.version, r.path) for r in rows] == [
            (2, "vn/08/02215"), (2, "vn/08/070/02215"),
            (2, "vn/08/075/02551"), (3, "vn/08/075/02551_2")]
        w.restart()
    assert w.pg.one("SELECT count(*) FROM registry.area_now "
                    "WHERE path <@ 'vn.08'") == "9"


def test_import_refusals_name_the_line_and_change_nothing(w, registrar):
    rows = [
        (HEADER + "vn,,central,Việt Nam\n08,xx,province,T\n", NOT_FOUND, 3),
        (HEADER + "vn,,central,Việt Nam\nvn,,central,V\n", INVALID, 3),
        (HEADER + "vn,,central,Việt Nam\n08,08,province,T\n", INVALID, 3),
        (HEADER + "vn,,central,Việt Nam\n1,2,province,A\n2,1,district,B\n",
         INVALID, 3),
        (HEADER.encode() + "vn,,central,Việt Nam\n".encode("utf-16-le"),
         INVALID, 2),
        (HEADER.encode() + b"vn,,central,Vi\xeat Nam\n", INVALID, 2),
        (b"\0" * 1000, INVALID, 1),
        (HEADER, INVALID, 0),
        (HEADER + '"vn,,central,V\n' * 4000, INVALID, 2),
    ]
    for text, code, line in rows:
        a = w.import_csv(registrar, text)
        assert (a.status.code, a.line) == (code, line), a.status
        assert a.status.text_vi.endswith(".") and a.status.text_en
    assert w.sync(registrar) == ([], 0)
    assert w.pg.one("SELECT count(*) FROM registry.import_part") == "0"


def test_who_may_import(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    lan = w.province.staff("lan", "vn/08", powers=DELEGATE)
    a = w.import_csv(lan, HEADER + "02999,070,commune,Xã Mới\n")
    assert a.status.code == OK, a.status.text_en
    a = w.import_csv(lan, HEADER + "24999,647,commune,Xã Mới\n")
    assert (a.status.code, a.line) == (NOT_ALLOWED, 2)
    nam = w.province.staff("nam", "vn/08", powers=ALL & ~DELEGATE)
    a = w.import_csv(nam, HEADER + "02998,070,commune,Xã Mới\n")
    assert a.status.code == NOT_ALLOWED


def test_parts_in_any_order_and_repeated(w, registrar):
    text = (HEADER + "vn,,central,Việt Nam\n" + "".join(
        f"p{i:04d},vn,province,Tỉnh số {i}\n" for i in range(4000))).encode()
    n = -(-len(text) // PART)
    assert n >= 3
    a = w.import_csv(registrar, text, order=[n - 1, *range(n - 1)])
    assert (a.status.code, a.added_n) == (OK, 4001), a.status.text_en
    import_id, message_id = os.urandom(16), os.urandom(16)
    part = registry.AreaImport(import_id=import_id, part=0, parts_n=2,
                               csv=text[:PART])
    first = w.ask(registrar, message_id, area_import=part)
    assert first == w.ask(registrar, message_id, area_import=part)
    assert w.ask(registrar, area_import=part).status.code == OK
    for wrong in (registry.AreaImport(import_id=import_id, part=1, parts_n=3,
                                      csv=b"x"),
                  registry.AreaImport(import_id=import_id, part=2, parts_n=2,
                                      csv=b"x"),
                  registry.AreaImport(import_id=b"short", part=0, parts_n=1,
                                      csv=b"x"),
                  registry.AreaImport(import_id=os.urandom(16), part=0,
                                      parts_n=65, csv=b"x"),
                  registry.AreaImport(import_id=os.urandom(16), part=0,
                                      parts_n=1, csv=b"")):
        assert w.ask(registrar, area_import=wrong).status.code != OK


def test_a_whole_country(w, registrar):
    path = os.path.join(SHARED, "areas-2021.csv")
    if not os.path.exists(path):
        pytest.skip(f"{path} is not there: set LOA_DATA to a folder with "
                    "areas-2021.csv and areas-2025.csv; the other tests use "
                    "deploy/sample-areas.csv")
    text = read(path)
    begin = time.monotonic()
    a = w.import_csv(registrar, text)
    took = time.monotonic() - begin
    assert (a.status.code, a.added_n) == (OK, 11368), a.status.text_en
    print(f"11,368 areas in {took:.2f} s")
    assert took < 2
    assert w.find(registrar, "tuyen quang")[0].path == "vn/08"

    rows, version = w.sync(registrar)
    want = list(csv.DictReader(io.StringIO(text.decode())))
    assert version == 1 and len(rows) == len(want)
    assert {r.code: r.name for r in rows} == {
        x["code"]: " ".join(x["name"].split()) for x in want}
    a = w.import_csv(registrar, text)
    assert (a.added_n, a.changed_n, a.unchanged_n) == (0, 0, 11368)

    # The reform of 2025: no districts.
    text = read(os.path.join(SHARED, "areas-2025.csv"))
    a = w.import_csv(registrar, text)
    assert a.status.code == OK, a.status.text_en
    assert a.added_n + a.changed_n + a.unchanged_n == 3356
    codes = [x["code"] for x in csv.DictReader(io.StringIO(text.decode()))]
    now = {x.code: x for x in w.find(registrar, limit=500)}
    assert len(now) == 11368 + a.added_n
    assert all(now[c].path.count("/") <= 2 for c in codes)
    assert len(w.sync(registrar, since=1)[0]) >= a.changed_n
    everything, _ = w.sync(registrar)
    w.restart()
    assert w.sync(registrar)[0] == everything


def test_killed_at_any_moment_of_an_import(w, registrar):
    """Nothing is half applied; what was acknowledged is there."""
    text = (HEADER + "vn,,central,Việt Nam\n" + "".join(
        f"p{i:04d},vn,province,Tỉnh số {i}\n" for i in range(1, 4000))).encode()
    parts = [text[i:i + PART] for i in range(0, len(text), PART)]
    applied = False
    for i in range(12):
        import_id = os.urandom(16)
        asker = w.asker(registrar)
        sent = None
        for k, part in enumerate(parts):
            q = registry.RegistryRequest(area_import=registry.AreaImport(
                import_id=import_id, part=k, parts_n=len(parts), csv=part))
            sent, _ = asker.send("registry", pb.TYPE_REGISTRY_REQUEST, q)
        time.sleep(0.01 * i)
        w.service.kill()
        answered = False
        for m in asker.client.drain():
            signed, _ = open_envelope(m.payload)
            if signed.message_id == sent:
                assert registry.RegistryAnswer.FromString(
                    signed.body).status.code == OK
                answered = True
        w.service.start()
        n = len(w.sync(registrar)[0])
        assert n in (0, 4000)
        assert n == 4000 or not (answered or applied)
        applied |= n == 4000
        assert w.pg.one("SELECT count(*) FROM registry.area_state") == str(n)
    # Pieces that were taken before the kill are whole with what comes after.
    import_id = os.urandom(16)
    text = text.replace("số".encode(), "thứ".encode())
    parts = [text[i:i + PART] for i in range(0, len(text), PART)]
    for k, part in enumerate(parts):
        a = w.ask(registrar, area_import=registry.AreaImport(
            import_id=import_id, part=k, parts_n=len(parts), csv=part))
        assert a.status.code == OK
        if k + 1 < len(parts):
            w.restart()
    assert a.added_n + a.changed_n == (3999 if applied else 4000)
