"""loa-registry: one-time codes, and devices that enrol with them."""
import json
import os
import queue
import threading

import pytest
from loa_broker import wait_until
from loa_identity import CONFIG, REVOKE, blake2b, new_enrolling, pb, registry
from loa_service import with_fail_points
from loa_registry import (ALL, EXISTS, HEADER, INVALID, NOT_ALLOWED, NOT_FOUND,
                          OK, SAMPLE, make_code, postgres, read, registrar_,
                          world)

CONFLICT = pb.Status.CODE_CONFLICT
EXPIRED = pb.Status.CODE_EXPIRED
TOO_LARGE = pb.Status.CODE_TOO_LARGE


# --- devices


def test_a_device_enrols_and_lives(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    message_id = os.urandom(16)
    a = make_code(w, registrar, message_id, serial="SN-1", name="Cổng chợ Ỷ La")
    assert a.status.code == OK, a.status.text_en
    code = a.code
    assert len(code) == 19 and code.count("-") == 3
    assert make_code(w, registrar, message_id, serial="SN-1",
                     name="Cổng chợ Ỷ La").code == code
    # No table holds it.
    for table in ("device", "device_code", "inbox", "outbox"):
        dump = w.pg.query(f"SELECT t::text FROM registry.{table} t")
        assert code not in json.dumps(dump)
        assert code.encode().hex() not in json.dumps(dump)

    a, who = w.enrol(code, "pole_1", serial="SN-1")
    assert a.status.code == OK, a.status.text_en
    e = registry.Enrolment.FromString(a.enrolment)
    assert e.root == w.root.key
    assert e.proof == blake2b(b"loa/1/enrolled\0" + who.key + e.root,
                              blake2b(code.replace("-", "").encode()))
    assert list(e.certificates[1:]) == w.identity.certificates
    body = pb.CertificateBody.FromString(
        pb.Certificate.FromString(e.certificates[0]).body)
    assert (body.principal, body.area, body.subject, body.role) == (
        "pole_1", "vn/08/070/02215", who.key, pb.ROLE_DEVICE)
    assert body.powers == 0 and body.max_depth == 0
    assert body.not_after_ms <= w.identity.not_after_ms
    again, _ = w.enrol(code, "pole_1", who, serial="SN-1")
    assert registry.Enrolment.FromString(again.enrolment) == e

    # The broker takes it; the registry knows it.
    who.principal, who.area = "pole_1", body.area
    who.certificates = list(e.certificates)
    w.broker.connect(who)
    found = w.ask(registrar, device_find=registry.DeviceFind(
        under="vn/08")).devices
    assert [(d.id, d.area, d.serial, d.name, d.key) for d in found] == [
        ("pole_1", "vn/08/070/02215", "SN-1", "Cổng chợ Ỷ La", who.key)]
    w.restart()
    again, _ = w.enrol(code, "pole_1", _enrolling(who), serial="SN-1")
    assert registry.Enrolment.FromString(again.enrolment) == e


def _enrolling(who):
    return new_enrolling(who.seed)


def test_codes_are_for_one_device_one_key_and_a_while(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    old = make_code(w, registrar).code
    first = os.urandom(16)
    code = make_code(w, registrar, first).code
    assert old != code
    a, _ = w.enrol(old, "pole_1")
    assert a.status.code == NOT_ALLOWED
    a, _ = w.enrol(code, "pole_2")
    assert a.status.code == NOT_ALLOWED
    a, _ = w.enrol("0000-0000-0000-0000", "pole_1")
    assert a.status.code == NOT_ALLOWED and not a.enrolment

    a, who = w.enrol(code, "pole_1")
    assert a.status.code == OK
    a, _ = w.enrol(code, "pole_1")
    assert a.status.code == CONFLICT
    assert make_code(w, registrar).status.code == EXISTS
    # The same key for another device; a code for a serial.
    code = make_code(w, registrar, id="pole_2", serial="SN-2").code
    a, _ = w.enrol(code, "pole_2", who, serial="SN-2")
    assert a.status.code == EXISTS
    a, _ = w.enrol(code, "pole_2", serial="SN-3")
    assert a.status.code == CONFLICT
    w.pg.query("UPDATE registry.device SET code_expires_at = now() "
               "WHERE id = 'pole_2'")
    w.restart()
    a, _ = w.enrol(code, "pole_2", serial="SN-2")
    assert a.status.code == EXPIRED


def test_an_older_request_for_a_code_does_not_come_back(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    first = os.urandom(16)
    make_code(w, registrar, first)
    code = make_code(w, registrar).code
    for _ in range(2):
        assert make_code(w, registrar, first).status.code == CONFLICT
        w.restart()
    a, _ = w.enrol(code, "pole_1")
    assert a.status.code == OK


def test_an_id_that_was_forgotten_does_not_end_the_registry(w, registrar):
    """After 1,024 other requests an id comes again: its row is there."""
    w.import_csv(registrar, read(SAMPLE))
    first = os.urandom(16)
    old = make_code(w, registrar, first).code
    make_code(w, registrar)
    w.pg.query(
        "INSERT INTO registry.device_code (message_id, device, made_by,"
        " expires_at) SELECT decode(md5(i::text), 'hex'), 'pole_1',"
        " 'registrar', now() + interval '1 day'"
        " FROM generate_series(1, 1024) AS i")
    w.restart()
    a = make_code(w, registrar, first)
    assert a.status.code == OK and a.code != old
    assert make_code(w, registrar, first).code == a.code
    assert w.service.process.poll() is None
    assert w.enrol(old, "pole_1")[0].status.code == NOT_ALLOWED
    w.restart()
    assert make_code(w, registrar, first).code == a.code
    assert w.enrol(a.code, "pole_1")[0].status.code == OK


def test_requests_for_codes_are_not_kept_for_ever(w, registrar):
    def kept():
        return int(w.pg.one("SELECT count(*) FROM registry.device_code"))

    w.import_csv(registrar, read(SAMPLE))
    code = make_code(w, registrar).code
    w.pg.query(
        "INSERT INTO registry.device_code (message_id, device, made_by,"
        " made_at, expires_at) SELECT decode(md5(i::text), 'hex'), 'pole_1',"
        " 'registrar', now() - interval '30 days' + i * interval '1 s',"
        " now() + interval '1 day' * (CASE WHEN i > 10 THEN 1 ELSE -8 END)"
        " FROM generate_series(1, 66000) AS i")
    w.restart()
    wait_until(lambda: kept() == 65536, "pruned")
    w.pg.query("UPDATE registry.device_code"
               " SET expires_at = now() - interval '8 days'"
               " WHERE made_by = 'registrar' AND made_at < now() - interval"
               " '1 day'")
    w.restart()
    wait_until(lambda: kept() == 1, "pruned")
    assert w.enrol(code, "pole_1")[0].status.code == OK


def test_a_communes_share_of_the_list_holds_after_a_restart(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    lan = w.province.staff("lan", "vn/08/070/02215", powers=CONFIG | REVOKE)
    issuer = w.identity.key.hex()
    w.enrol(make_code(w, lan).code, "pole_1")
    w.pg.query(
        "INSERT INTO registry.revocation (issuer, serial, not_after, principal,"
        f" reason) SELECT '\\x{issuer}', i, now() + interval '1 year',"
        " 'pole_1', '' FROM generate_series(1, 223) AS i")
    w.restart()
    assert w.ask(lan, revoke=registry.Revoke(
        principal="pole_1")).status.code == OK
    w.enrol(make_code(w, lan).code, "pole_1")
    a = w.ask(lan, revoke=registry.Revoke(principal="pole_1"))
    assert a.status.code == TOO_LARGE, a.status.text_en
    assert w.ask(registrar, revoke=registry.Revoke(
        principal="pole_1")).status.code == OK


def test_who_may_make_codes(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    lan = w.province.staff("lan", "vn/08/070", powers=CONFIG)
    nam = w.province.staff("nam", "vn/08/070", powers=ALL & ~CONFIG)
    assert make_code(w, lan).status.code == OK
    assert make_code(w, nam).status.code == NOT_ALLOWED
    assert make_code(w, lan, area="vn/08/075/02536").status.code == NOT_ALLOWED
    assert make_code(w, lan, area="vn/08/070/99999").status.code == NOT_FOUND
    assert make_code(w, lan, area="vn//").status.code == NOT_FOUND
    assert make_code(w, lan, id="enrol_1").status.code == INVALID
    assert make_code(w, lan, id="a/b").status.code == INVALID
    assert make_code(w, lan, valid_s=1).status.code == INVALID
    assert make_code(w, lan, name="x" * 200).status.code == INVALID
    assert make_code(w, lan, serial="a\nb").status.code == INVALID
    a = make_code(w, lan, id="")
    assert a.status.code == OK and a.devices[0].id.startswith("loa_")
    # A district's staff do not see the next one's devices.
    make_code(w, registrar, id="other", area="vn/08/075/02536")
    ids = [d.id for d in w.ask(
        lan, device_find=registry.DeviceFind(limit=500)).devices]
    assert "pole_1" in ids and "other" not in ids
    assert w.ask(lan, device_find=registry.DeviceFind(
        under="vn/08")).status.code == NOT_ALLOWED
    assert w.ask(lan, device_find=registry.DeviceFind(
        id="other")).status.code == NOT_FOUND


def test_killed_at_any_moment_of_an_enrolment(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    serials = []
    for i in range(10):
        device = f"pole_{i}"
        code = make_code(w, registrar, id=device).code
        who = new_enrolling()
        w.askers.pop(who.principal, None)
        try:
            # The kill comes while the request is on its way.
            threading.Timer(0.002 * i, w.service.kill).start()
            a, _ = w.enrol(code, device, who, limit_s=0.3)
            certificate = registry.Enrolment.FromString(
                a.enrolment).certificates[0]
        except queue.Empty:  # No answer.
            certificate = None
        wait_until(lambda: w.service.process.poll() is not None, "killed")
        w.service.start()
        a, _ = w.enrol(code, device, who)
        assert a.status.code == OK, a.status.text_en
        e = registry.Enrolment.FromString(a.enrolment)
        assert certificate in (None, e.certificates[0])
        serials.append(pb.CertificateBody.FromString(
            pb.Certificate.FromString(e.certificates[0]).body).serial)
    assert serials == sorted(set(serials))
    assert w.pg.one("SELECT count(*) FROM registry.device_certificate") == "10"


def test_wrong_codes_are_answered_at_a_bounded_rate(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    code = make_code(w, registrar).code
    who = new_enrolling()
    for _ in range(50):
        a, _ = w.enrol("0000-0000-0000-0000", "pole_1", who)
        assert a.status.code == NOT_ALLOWED
    with pytest.raises(queue.Empty):
        w.enrol("0000-0000-0000-0000", "pole_1", who, limit_s=0.5)
    assert w.service.metric("loa_registry_wrong_codes_total") == 51
    assert w.service.metric("loa_registry_dropped_codes_total") == 1
    a, _ = w.enrol(code, "pole_1")
    assert a.status.code == OK


def test_malformed_enrolments_do_not_fill_the_log(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    code = make_code(w, registrar).code
    who = new_enrolling()
    client = w.broker.connect(who)
    topic = f"loa/1/rpc/registry/enrol/@{who.principal}"
    for i in range(400):
        client.publish(topic, b"x" * i)
    wait_until(lambda: w.service.metric(
        "loa_registry_malformed_enrolments_total") == 400, "all are counted")
    assert 1 <= w.service.log().count("text=malformed") <= 40
    a, _ = w.enrol(code, "pole_1")
    assert a.status.code == OK


def test_a_right_proof_needs_its_keys_signature(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    code = make_code(w, registrar).code
    who, envelope = new_enrolling(), None

    def forged(*args, **more):
        e = pb.Envelope.FromString(envelope(*args, **more))
        e.signatures[0].signature = bytes(64)
        return e.SerializeToString()

    a, _ = w.enrol("0000-0000-0000-0000", "pole_1", who)
    assert a.status.code == NOT_ALLOWED
    envelope, who.envelope = who.envelope, forged
    a, _ = w.enrol(code, "pole_1", who)
    assert a.status.code == INVALID
    a, _ = w.enrol("0000-0000-0000-0000", "pole_1", who)
    assert a.status.code == NOT_ALLOWED
    who.envelope = envelope
    a, _ = w.enrol(code, "pole_1", who)
    assert a.status.code == OK


@pytest.mark.parametrize("point", ["registry.write", "pg.commit",
                                   "pg.committed"])
def test_killed_at_every_step(w, registrar, point):
    """The registry ends at the nth passing of a point; whoever asked asks
    again, with the same request, and everything is done once."""
    w.service.argv[0] = with_fail_points("loa-registry")
    w.restart()
    w.import_csv(registrar, read(SAMPLE))
    asker = w.asker(registrar)
    deaths = 0

    def again(**what):
        """Ask until there is an answer, as a client does."""
        nonlocal deaths
        message_id = os.urandom(16)
        while True:
            sent, _ = asker.send("registry", pb.TYPE_REGISTRY_REQUEST,
                                 registry.RegistryRequest(**what), message_id)
            try:
                return asker.wait(sent, registry.RegistryAnswer, 0.5)
            except queue.Empty:
                if w.service.process.poll() is not None:
                    deaths += 1
                    w.service.start()

    def enrol_again(code, device, who):
        nonlocal deaths
        while True:
            try:
                return w.enrol(code, device, who, limit_s=0.5)[0]
            except queue.Empty:
                if w.service.process.poll() is not None:
                    deaths += 1
                    w.service.start()

    for n in range(1, 13):
        w.service.kill()
        w.service.start(wait=False, LOA_FAILPOINT=f"{point}:{n}:abort")
        try:
            wait_until(w.service.ready, "ready")
        except AssertionError:      # It ended before it was ready.
            deaths += 1
            w.service.start()
        people = w.country.staff(f"p{n}", "vn")
        a = again(area_import=registry.AreaImport(
            import_id=os.urandom(16), parts_n=1,
            csv=f"{HEADER}c{n},070,commune,Xã số {n}\n".encode()))
        assert (a.status.code, a.added_n) == (OK, 1), a.status.text_en
        a = again(device_code=registry.DeviceCode(
            id=f"d{n}", area=f"vn/08/070/c{n}"))
        assert a.status.code == OK, a.status.text_en
        a = enrol_again(a.code, f"d{n}", new_enrolling())
        assert a.status.code == OK, a.status.text_en
        assert again(principal_add=registry.PrincipalAdd(
            certificates=people.certificates)).status.code == OK
        for name in (f"p{n}", f"d{n}"):
            assert again(revoke=registry.Revoke(
                principal=name)).status.code == OK
        assert len(w.sync(registrar)[0]) == 15 + n
    assert deaths >= 5
    for table, count in (("area_state", 27), ("device", 12), ("device_code", 12),
                         ("device_certificate", 12), ("principal", 12),
                         # Two certificates each time, and a person's key.
                         ("revocation", 36), ("import_part", 0)):
        assert w.pg.one(f"SELECT count(*) FROM registry.{table}") == str(count)
    body, _ = w.trust_list()
    assert sum(len(r.serials) for r in body.revocations) == 36
    assert body.areas_version == 13
