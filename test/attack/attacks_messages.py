"""The attacker owns the broker: messages that are wrong in themselves, in their
place, or in their chain."""
import random

import loa_identity as li
import raid
from loa_identity import pb, programme as ppb

attack = raid.Attacks()
EVIL_ROOT = li.new_root()


def evil_province():
    return EVIL_ROOT.authority("province_08", "vn/08")


def signed(who, type_, body, area, **more):
    return who.envelope(type_, body, area=area, **more)


def planned_by(t, issuer, name="scheduler_08", area="vn/08", **more):
    """The attacker's bulletin, by a scheduler whose certificate is issuer's."""
    t.plan(t.programme([t.bulletin()], signer=issuer.service(
        name, "scheduler", area, powers=li.SCHEDULE, **more)))


# --- forge, flip, cut ---------------------------------------------------------------

@attack("P1 #2")
def forged_without_any_key(t):
    """A programme as observed on the wire, signed by a root of one's own."""
    p = evil_province()
    approver = p.staff("mai", "vn/08", powers=li.CONTENT_APPROVE)
    t.plan(t.programme([t.bulletin(approver=approver)], signer=p.service(
        "scheduler_08", "scheduler", "vn/08", powers=li.SCHEDULE | li.TIME)))
    t.refused()


@attack("P1 #4")
def unsigned_programme(t):
    e = pb.Envelope.FromString(t.programme([t.bulletin()]))
    del e.signatures[:]
    t.plan(e.SerializeToString())
    t.refused()


@attack("P1 #2")
def one_bit_flipped_anywhere(t):
    """200 copies of an honest programme with one bit wrong each."""
    good = t.programme([t.bulletin()])
    rng = random.Random(1)
    e = pb.Envelope.FromString(good)
    at = good.index(e.signed)
    for _ in range(200):
        bad = bytearray(good)
        i = at + rng.randrange(len(e.signed))
        bad[i] ^= 1 << rng.randrange(8)
        t.send("programme", bytes(bad))
    t.push()
    t.refused()


@attack("P1 P4")
def truncated_at_every_length(t):
    good = t.programme([t.bulletin()])
    for n in range(0, len(good), 7):
        t.send("programme", good[:n], qos=0)
    t.push()
    t.refused()


@attack("P1")
def bytes_appended_to_what_was_signed(t):
    e = pb.Envelope.FromString(t.programme([]))
    more = pb.Signed(body=ppb.Programme(
        version=li.now_ms(), bulletins=[t.bulletin().message]
    ).SerializeToString())
    e.signed += more.SerializeToString()
    t.plan(e.SerializeToString())
    t.refused()


@attack("P1 P3", key="scheduler")
def signed_as_another_type(t):
    """A programme's body under the signature of a head."""
    p = ppb.Programme(version=li.now_ms(), bulletins=[t.bulletin().message])
    t.plan(signed(t.rig.scheduler, pb.TYPE_HEAD, p, t.area, ttl_ms=60000))
    t.refused()


@attack("P1 P3", key="scheduler")
def type_swapped_after_signing(t):
    e = pb.Envelope.FromString(t.programme([t.bulletin()]))
    s = pb.Signed.FromString(e.signed)
    s.type = pb.TYPE_HEAD
    e.signed = s.SerializeToString()
    t.send("head", e.SerializeToString())
    s.type = pb.TYPE_COMMAND
    e.signed = s.SerializeToString()
    t.send("command", e.SerializeToString())
    t.push()
    t.refused()


@attack("P1 P3", key="scheduler")
def honest_programme_on_other_topics(t):
    """Every honest message on every topic but its own."""
    envelope = t.programme([t.bulletin()])
    for kind in ("head", "command", "trust", "ack", "content", "live",
                 "alert", "grant"):
        t.send(kind, envelope)
        t.send(kind, envelope, f"{t.area}/@{t.pole.device}")
    t.send("programme", envelope, f"{t.area}/@{t.pole.device}")
    t.push()
    t.refused()


@attack("P1")
def approval_as_programme(t):
    b = t.bulletin()
    t.plan(t.rig.approval(t.evil, area=t.area))
    t.plan(b.approval)
    t.refused()


# --- where: area, target ---------------------------------------------------------

@attack("P3 #1")
def neighbours_programme(t):
    """Honest, but for the commune next door, on this one's topic."""
    t.plan(t.programme([t.bulletin()], area="vn/08/070/99999"))
    t.refused()


@attack("P3")
def wider_programme_on_narrow_topic(t):
    """Honest for the district: its version must not shadow the commune's."""
    t.send("programme", t.programme([], area="vn/08/070"), t.area)
    t.refused()


@attack("P1", key="scheduler of another province")
def scheduler_of_another_province(t):
    south = t.rig.root.authority("province_09", "vn/09")
    planned_by(t, south, name="scheduler_09", area="vn/09")
    t.refused()


@attack("P1", key="scheduler of the commune next door")
def neighbours_scheduler_upwards(t):
    """The scheduler of one commune speaks for the whole district."""
    who = t.rig.province.service("scheduler_n", "scheduler",
                                 "vn/08/070/99999", powers=li.SCHEDULE)
    t.send("programme", t.programme([t.bulletin()], area="vn/08/070",
                                    signer=who), "vn/08/070/" +
           t.area.rsplit("/", 1)[1])
    t.plan(t.programme([t.bulletin()], signer=who))
    t.refused()


@attack("P1")
def approved_for_another_area(t):
    t.honest(approval=t.rig.approval(t.evil, area="vn/08/070/99999"))
    t.reason = "not-for-us"


@attack("P1", key="approver of the commune next door")
def approver_of_another_area(t):
    who = t.rig.province.staff("xa", "vn/08/070/99999",
                               powers=li.CONTENT_APPROVE)
    b = t.bulletin(approval=t.rig.approval(t.evil, area=t.area, who=who))
    b.approver = who
    t.plan(t.programme([b]))
    t.reason = "area"


# --- chains ------------------------------------------------------------------------

@attack("P1", key="commune authority without SCHEDULE")
def powers_beyond_the_issuer(t):
    weak = t.rig.root.authority("weak", "vn/08",
                                powers=li.CONTENT_APPROVE | li.DELEGATE)
    planned_by(t, weak)
    t.refused()


@attack("P1", key="commune authority")
def area_beyond_the_issuer(t):
    small = t.rig.province.authority("small", "vn/08/070/99999")
    planned_by(t, small)
    t.refused()


@attack("P1", key="authority of an hour")
def validity_beyond_the_issuer(t):
    brief = t.rig.province.authority(
        "brief", "vn/08", not_before_ms=li.now_ms() - 7200000,
        not_after_ms=li.now_ms() + 3600000)
    planned_by(t, brief, not_after_ms=li.now_ms() + 30 * li.DAY_MS)
    t.refused()


@attack("P1", key="staff with SCHEDULE")
def staff_issues_certificates(t):
    """A leaf signs a certificate for a scheduler of the attacker's own."""
    staff = t.rig.province.staff("tham", "vn/08", powers=li.SCHEDULE
                                 | li.CONTENT_APPROVE | li.DELEGATE)
    planned_by(t, staff)
    t.refused()


@attack("P1", key="a device")
def device_issues_certificates(t):
    planned_by(t, t.pole.identity, area=t.area)
    t.refused()


@attack("P1")
def chain_spliced(t):
    """The honest chain around a leaf of the attacker's own key."""
    evil = evil_province().service("scheduler_08", "scheduler", "vn/08",
                                   powers=li.SCHEDULE)
    evil.certificates = [evil.certificates[0]] + \
        t.rig.scheduler.certificates[1:]
    t.plan(t.programme([t.bulletin()], signer=evil))
    evil.certificates = list(t.rig.scheduler.certificates)
    t.plan(t.programme([t.bulletin()], signer=evil))
    t.refused()


@attack("P1")
def subject_replaced_in_the_certificate(t):
    """The honest leaf with the attacker's key in it, old signature."""
    evil = li.Identity(root=t.rig.root.root)
    c = pb.Certificate.FromString(t.rig.scheduler.certificates[0])
    body = pb.CertificateBody.FromString(c.body)
    body.subject = evil.key
    c.body = body.SerializeToString()
    evil.certificates = [c.SerializeToString()] + \
        t.rig.scheduler.certificates[1:]
    evil.area = "vn/08"
    t.plan(t.programme([t.bulletin()], signer=evil))
    t.refused()


@attack("P1 #13")
def expired_certificate(t):
    planned_by(t, t.rig.province, name="scheduler_old",
               not_before_ms=li.now_ms() - 9 * li.DAY_MS,
               not_after_ms=li.now_ms() - 1000)
    t.refused()


@attack("P1")
def not_yet_valid_certificate(t):
    planned_by(t, t.rig.province, name="scheduler_new",
               not_before_ms=li.now_ms() + li.DAY_MS,
               not_after_ms=li.now_ms() + 9 * li.DAY_MS)
    t.refused()


@attack("P1", key="a revoked scheduler")
def revoked_scheduler(t):
    gone = t.rig.province.service("scheduler_gone", "scheduler", "vn/08",
                                  powers=li.SCHEDULE)
    t.revoke(gone)
    t.pole.wait_log("event=trust.accepted")
    t.plan(t.programme([t.bulletin()], signer=gone))
    t.refused()


@attack("P1")
def algorithm_downgraded(t):
    """Certificates that name no algorithm, or one that nobody implements."""
    for algorithm in (0, 2, 255):
        planned_by(t, t.rig.province, name="scheduler_a", algorithm=algorithm)
    for version in (0, 2):
        planned_by(t, t.rig.province, name="scheduler_v", version=version)
    t.refused()


@attack("P1")
def weak_keys_and_signatures(t):
    """Small-order points and signatures of zeros: valid for careless code."""
    p = t.programme([t.bulletin()])
    for key in (bytes(32), b"\x01" + bytes(31), b"\xff" * 32,
                bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39c"
                              "cc64ec7fd7792ac037a")):
        e = pb.Envelope.FromString(p)
        for signature in (bytes(64), key + bytes(32), b"\xff" * 64):
            e.signatures[0].key = key
            e.signatures[0].signature = signature
            t.plan(e.SerializeToString())
    t.refused()


@attack("P1 M9")
def chain_of_a_thousand_links(t):
    """Loops and repetitions: a verdict, not a minute of climbing."""
    e = pb.Envelope.FromString(t.programme([t.bulletin()], signer=(
        evil_province().service("s", "scheduler", "vn/08",
                                powers=li.SCHEDULE))))
    a = EVIL_ROOT.authority("a", "vn")
    for i in range(120):
        e.certificates.append(a.authority(f"l{i}", "vn", key=a.key)
                              .certificates[0])
    t.plan(e.SerializeToString()[:60000])
    t.refused()
