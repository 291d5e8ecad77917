"""loa-registry on a real PostgreSQL and a real Mosquitto with the plugin:
principals, revocation, the list."""
import os
import shutil
import subprocess

import pytest
from loa_broker import LIMIT_S, wait_until
from loa_identity import (COMMAND, DAY_MS, REVOKE, SCHEDULE, key_number,
                          new_enrolling, new_root, now_ms, pb, registry)
from loa_service import Asker, Service
from loa_registry import (ALL, EXISTS, HEADER, INVALID, NOT_ALLOWED, NOT_FOUND,
                          OK, SAMPLE, make_code, postgres, read, registrar_,
                          world)

IN_USE = pb.Status.CODE_IN_USE
REVOKED = pb.Status.CODE_REVOKED
TOO_LARGE = pb.Status.CODE_TOO_LARGE


# --- principals, revocation, the list


def test_the_list_is_there_from_the_first_start(w):
    body, signed = w.trust_list()
    assert (body.number, len(body.revocations)) == (1, 0)
    assert signed.expires_at_ms - signed.issued_at_ms == 30 * DAY_MS
    w.restart()
    assert w.trust_list()[0].number == 1


def test_principals_are_added_found_and_revoked(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    lan = w.province.staff("lan", "vn/08/070", powers=SCHEDULE,
                           name="Nguyễn Thị Lan", serial=(1 << 64) - 1)
    a = w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=lan.certificates))
    assert a.status.code == OK, a.status.text_en
    assert w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=lan.certificates)).status.code == OK
    found = w.ask(registrar, principal_find=registry.PrincipalFind(
        under="vn/08")).principals
    assert [(p.id, p.name, p.area, p.powers, p.certificate_serial, p.issuer,
             p.revoked) for p in found] == [
        ("lan", "Nguyễn Thị Lan", "vn/08/070", SCHEDULE, (1 << 64) - 1,
         w.province.key, False)]
    # Another authority cannot take the name.
    other = w.country.authority("province_66", "vn/66")
    thief = other.staff("lan", "vn/66")
    assert w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=thief.certificates)).status.code == EXISTS
    forged = new_root().authority("x", "vn").staff("y", "vn")
    assert w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=forged.certificates)).status.code == INVALID

    live = w.broker.connect(lan)
    nam = w.province.staff("nam", "vn/08/075", powers=REVOKE)
    tu = w.province.staff("tu", "vn/08/070", powers=ALL & ~REVOKE)
    for who in (nam, tu):
        assert w.ask(who, revoke=registry.Revoke(
            principal="lan")).status.code == NOT_ALLOWED
    version = w.trust_list()[0].areas_version
    assert version == 1
    message_id = os.urandom(16)
    number = w.trust_list()[0].number
    a = w.ask(registrar, message_id, revoke=registry.Revoke(
        principal="lan", reason="mất khóa"))
    assert a.status.code == OK
    assert number < a.revocation_number <= now_ms()
    number = a.revocation_number
    live.wait_closed()          # A live connection is cut off.
    again = w.ask(registrar, revoke=registry.Revoke(principal="lan"))
    assert (again.status.code, again.revocation_number) == (OK, number)
    body, _ = w.trust_list()
    assert body.number == number
    assert [(r.issuer, list(r.serials)) for r in body.revocations] == [
        (w.province.key, [key_number(lan.key), (1 << 64) - 1])]
    w.restart()
    assert w.trust_list()[0] == body
    # The registry itself believes its list.
    assert w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=lan.certificates)).status.code == REVOKED
    assert w.ask(registrar, revoke=registry.Revoke(
        principal="nobody")).status.code == NOT_FOUND


def test_a_renewed_certificate_is_revoked_with_the_old_one(w, registrar):
    """The registry listed only certificates that it had been given, and said
    "revoked": whoever had been certified again since went on with the new
    one. It is enough that they asked the registry anything."""
    old, new = (w.province.staff("lan", "vn/08", powers=SCHEDULE, seed=bytes(32))
                for _ in range(2))
    assert old.key == new.key and old.body.serial != new.body.serial
    assert w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=old.certificates)).status.code == OK
    w.ask(new, area_find=registry.AreaFind(text="vn"))
    w.restart()
    live = w.broker.connect(new)
    a = w.ask(registrar, revoke=registry.Revoke(principal="lan"))
    assert (a.status.code, a.changed_n) == (OK, 2), a
    live.wait_closed()


def test_a_renewal_that_the_registry_never_saw_outlived_the_revocation(
        w, registrar):
    """Her authority signed her key again, off-line, and she only scheduled and
    approved since: the list named the certificate that was known."""
    known, renewed, later = (
        w.province.staff("lan", "vn/08/070", powers=SCHEDULE, seed=bytes(32))
        for _ in range(3))
    other = w.province.staff("minh", "vn/08/070", powers=SCHEDULE)
    for who in (known, other):
        assert w.ask(registrar, principal_add=registry.PrincipalAdd(
            certificates=who.certificates)).status.code == OK
    live, bystander = w.broker.connect(renewed), w.broker.connect(other)
    a = w.ask(registrar, revoke=registry.Revoke(principal="lan"))
    assert (a.status.code, a.changed_n) == (OK, 1), a
    live.wait_closed()
    assert w.broker.connect(renewed, check=False).code != 0
    for _ in range(2):
        a = w.ask(registrar, principal_add=registry.PrincipalAdd(
            certificates=later.certificates))
        assert a.status.code == REVOKED
        assert "loactl key new" in a.status.text_en, a.status
        assert "loactl key new" in a.status.text_vi, a.status
        w.restart()
    found = w.ask(registrar, principal_find=registry.PrincipalFind(
        under="vn/08", id="lan")).principals
    assert [p.revoked for p in found] == [True]
    anew = w.province.staff("lan", "vn/08/070", powers=SCHEDULE)
    assert w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=anew.certificates)).status.code == OK
    w.broker.connect(anew)
    assert w.ask(other, area_find=registry.AreaFind(text="vn")).status.code \
        == OK
    bystander.close()


def test_keys_that_are_revoked_count_for_their_area_after_a_restart(
        w, registrar):
    """What is on the list without a certificate of its own counted for no
    area: a commune filled the list of all between two starts."""
    lan = w.province.staff("lan", "vn/08/070", powers=SCHEDULE)
    w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=lan.certificates))
    w.ask(registrar, revoke=registry.Revoke(principal="lan"))
    w.pg.query(
        "INSERT INTO registry.revocation (issuer, serial, principal, reason,"
        " not_after) SELECT issuer, n, 'lan', '', now() + interval '1 day'"
        " FROM registry.revocation, generate_series(1000, 1446) AS n"
        " WHERE serial < 1000")
    w.restart()
    an = w.province.staff("an", "vn/08/070", powers=SCHEDULE)
    w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=an.certificates))
    near = w.province.staff("near", "vn/08/070", powers=REVOKE)
    above = w.province.staff("above", "vn/08", powers=REVOKE)
    assert w.ask(near, revoke=registry.Revoke(
        principal="an")).status.code == TOO_LARGE
    assert w.ask(above, revoke=registry.Revoke(
        principal="an")).status.code == OK


def test_a_revoked_device_is_cut_off_and_may_come_back_with_a_new_key(
        w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    code = make_code(w, registrar).code
    a, who = w.enrol(code, "pole_1")
    e = registry.Enrolment.FromString(a.enrolment)
    device = new_enrolling(who.seed)
    device.principal, device.area = "pole_1", "vn/08/070/02215"
    device.certificates = list(e.certificates)
    live = w.broker.connect(device)
    assert w.ask(registrar, revoke=registry.Revoke(
        principal="pole_1", reason="mất cắp")).status.code == OK
    live.wait_closed()
    assert w.broker.connect(device, check=False).code != 0
    a, _ = w.enrol(code, "pole_1", new_enrolling(who.seed))
    assert a.status.code == REVOKED

    code = make_code(w, registrar).code
    a, _ = w.enrol(code, "pole_1", new_enrolling(who.seed))
    assert a.status.code == REVOKED
    a, _ = w.enrol(code, "pole_1")
    assert a.status.code == OK
    d = w.ask(registrar, device_find=registry.DeviceFind(id="pole_1")).devices
    assert not d[0].revoked


def test_the_registry_cannot_saw_off_its_own_branch(w, registrar):
    for chain in (w.identity.certificates, w.country.certificates):
        a = w.ask(registrar, principal_add=registry.PrincipalAdd(
            certificates=chain))
        assert a.status.code == OK, a.status.text_en
    for name in ("registry_vn", "ministry"):
        assert w.ask(registrar, revoke=registry.Revoke(
            principal=name)).status.code == IN_USE
    assert w.trust_list()[0].number == 1


def test_a_broker_that_lost_its_memory_has_the_list_again(w, registrar):
    w.import_csv(registrar, read(SAMPLE))
    w.ask(registrar, device_code=registry.DeviceCode(
        id="pole_1", area="vn/08/070/02215"))
    before = w.trust_list()[0]
    w.askers.clear()
    w.broker.stop(9)
    assert w.service.process.wait(LIMIT_S) == 1      # Its supervisor...
    w.broker.start()
    w.service.start()                           # ... starts it again.
    assert w.trust_list()[0] == before


def test_tables_from_a_backup_do_not_forget_revocations(w, registrar):
    lan = w.country.staff("lan", "vn", powers=COMMAND)
    w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=lan.certificates))
    number = w.ask(registrar, revoke=registry.Revoke(
        principal="lan")).revocation_number
    wait_until(lambda: w.trust_list()[0].number == number, "the list is out")
    body, _ = w.trust_list()
    w.service.kill()
    w.pg.query("DELETE FROM registry.revocation; DELETE FROM registry.outbox; "
               "DELETE FROM registry.trust_list; "
               "UPDATE registry.state SET trust_number = 0, trust_at = NULL")
    w.service.start()
    wait_until(lambda: w.trust_list()[0].number > body.number, "a newer list")
    assert w.trust_list()[0].revocations == body.revocations


@pytest.mark.parametrize("broker_is_new", [False, True])
def test_revoked_after_a_restore_is_revoked(w, registrar, broker_is_new):
    """The tables are those of an hour ago, outbox and all; devices hold the
    lists since. What is revoked now was answered and dropped by them."""
    tables = ("state", "revocation", "principal", "outbox", "trust_list")
    lan, an = (w.country.staff(who, "vn", powers=COMMAND)
               for who in ("lan", "an"))
    for who in (lan, an):
        w.ask(registrar, principal_add=registry.PrincipalAdd(
            certificates=who.certificates))
    for t in tables:
        w.pg.query(f"DROP TABLE IF EXISTS public.before_{t}; "
                   f"CREATE TABLE public.before_{t} AS TABLE registry.{t}")
    number = w.ask(registrar, revoke=registry.Revoke(
        principal="lan")).revocation_number
    wait_until(lambda: w.trust_list()[0].number == number, "the list is out")
    w.service.kill()
    for t in tables:
        w.pg.query(f"TRUNCATE registry.{t}; INSERT INTO registry.{t} "
                   f"TABLE public.before_{t}; DROP TABLE public.before_{t}")
    if broker_is_new:
        w.askers.clear()
        w.broker.stop(9)
        w.broker.start()
    w.service.start()
    a = w.ask(registrar, revoke=registry.Revoke(principal="an"))
    assert a.status.code == OK and a.revocation_number > number
    wait_until(lambda: w.trust_list()[0].number == a.revocation_number,
               "the new list")
    revoked = {n for r in w.trust_list()[0].revocations for n in r.serials}
    assert an.body.serial in revoked
    assert broker_is_new or lan.body.serial in revoked


def test_a_second_registry_on_the_same_tables_waits(w):
    second = Service("registry", w.identity, w.pg, w.broker)
    second.start(wait=False)
    try:
        wait_until(lambda: w.pg.one(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND"
            " NOT granted") == "1", "the second one waits for the lock")
        assert second.process.poll() is None
        assert not second.ready()
        w.service.stop()
        wait_until(second.ready, "the second one takes over")
    finally:
        second.remove()


def test_an_identity_that_may_not_issue_is_refused(w):
    weak = w.country.service("registry_weak", "registry", "vn", powers=REVOKE)
    s = Service("registry", weak, w.pg, w.broker)
    w.service.stop()  # One schema takes one process at a time.
    try:
        s.start(wait=False)
        assert s.process.wait(LIMIT_S) == 1
        assert "delegate" in s.log()
    finally:
        s.remove()
        w.service.start()


def test_certificates_that_end_are_told_of(w, registrar):
    soon = w.country.staff("soon", "vn", not_after_ms=now_ms() + 5 * DAY_MS)
    w.ask(registrar, principal_add=registry.PrincipalAdd(
        certificates=soon.certificates))
    w.restart()
    assert "event=certificate.ends kind=principal id=soon" in w.service.log()
    left_s = w.service.metric(
        'loa_registry_certificate_expiry_seconds{kind="principal"}')
    assert 4 * 86400 < left_s <= 5 * 86400
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], check=True,
                       input=w.service.http("/metrics")[1].encode())


def test_malformed_requests_are_answered(w, registrar):
    asker = Asker(w.broker.connect(registrar), registrar)
    for body in (b"", b"\xff\xff\xff", os.urandom(100)):
        sent, _ = asker.send("registry", pb.TYPE_REGISTRY_REQUEST, body)
        a = asker.wait(sent, registry.RegistryAnswer)
        assert a.status.code == INVALID and a.status.text_vi
    for q in (registry.AreaFind(after="nonsense"),
              registry.AreaFind(limit=501),
              registry.AreaFind(text="x" * 1000)):
        assert w.ask(registrar, area_find=q).status.code == INVALID
    assert w.ask(registrar, area_find=registry.AreaFind(
        under="vn/nowhere")).status.code == NOT_FOUND
    assert w.ask(registrar, area_sync=registry.AreaSync(
        after="1.2")).status.code == INVALID


def test_a_forgery_with_the_same_id_does_not_disturb_a_request(w, registrar):
    """Right behind a request comes another one of its id that cannot be
    believed, while the first is still being looked up."""
    asker = w.asker(registrar)
    body = registry.RegistryRequest(area_find=registry.AreaFind(text="vn"))
    topic = f"loa/1/rpc/registry/vn/@{registrar.principal}"
    for _ in range(50):
        message_id = os.urandom(16)
        good = registrar.envelope(pb.TYPE_REGISTRY_REQUEST, body,
                                  message_id=message_id)
        e = pb.Envelope.FromString(good)
        e.signatures[0].signature = bytes(64)
        bad = e.SerializeToString()
        part = registry.AreaImport(import_id=os.urandom(16), part=0, parts_n=2,
                                   csv=HEADER.encode(), valid_from_ms=0)
        write = registrar.envelope(
            pb.TYPE_REGISTRY_REQUEST,
            registry.RegistryRequest(area_import=part), message_id=message_id)
        for envelope in (write, bad, good, bad):
            asker.client.mqtt.publish(topic, envelope, qos=1)
        asker.wait(message_id, registry.RegistryAnswer)
    assert w.service.process.poll() is None
    assert w.ask(registrar, area_find=registry.AreaFind(
        text="vn")).status.code == OK


def test_the_id_of_anothers_request_gives_nothing_away(w, registrar):
    """Two people use one message id: each has an answer to what they asked."""
    other = w.country.staff("district", "vn/08/070")
    message_id = os.urandom(16)
    a = w.import_csv(registrar, read(SAMPLE))
    a = w.ask(registrar, message_id, revoke=registry.Revoke(
        principal="registry_vn", reason="x"))
    assert a.status.code == NOT_FOUND
    part = registry.AreaImport(import_id=os.urandom(16), part=0, parts_n=2,
                               csv=HEADER.encode())
    assert w.ask(registrar, message_id, area_import=part).status.code == OK
    a = w.ask(other, message_id, area_find=registry.AreaFind(text="vn/08/070"))
    assert [x.path for x in a.areas] == ["vn/08/070"]


def test_batch_behind_one_that_failed_is_not_committed(w, registrar):
    """Both were decided on what was in memory; the second was committed
    although the first had failed."""
    people = [w.province.staff(p, "vn/08") for p in ("ba", "tu")]
    asker = w.asker(registrar)

    def send(**more):
        return asker.send("registry", pb.TYPE_REGISTRY_REQUEST,
                          registry.RegistryRequest(**more))[0]

    def decided():
        """What came before has been worked on when a later one is refused."""
        late, _ = asker.send("registry", pb.TYPE_REGISTRY_REQUEST,
                             registry.RegistryRequest(), ttl_ms=-3600000)
        assert asker.wait(late, registry.RegistryAnswer).status.code != OK

    def lock(table):
        return w.pg.holding(
            f"LOCK TABLE registry.{table} IN ACCESS EXCLUSIVE MODE")

    waiting = ("FROM pg_stat_activity WHERE usename = 'loa_registry' AND "
               "wait_event_type = 'Lock' AND query ILIKE '%INTO principal%'")
    with lock("principal"):
        with lock("inbox"):
            for who in people:
                send(principal_add=registry.PrincipalAdd(
                    certificates=who.certificates))
            decided()
        wait_until(lambda: w.pg.one("SELECT count(*) " + waiting) == "1",
                   "the first batch waits")
        decided()
        w.pg.query("SELECT pg_cancel_backend(pid) " + waiting)
    assert w.service.process.wait(LIMIT_S) == 1
    w.service.start()
    assert w.pg.one("SELECT count(*) FROM registry.principal "
                    "WHERE id IN ('ba', 'tu')") == "0"
