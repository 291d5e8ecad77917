"""The attacker owns the broker. What each attack stands for: P1..P10 are the
properties and #1..#16, M1..M11 the incidents and abuses of docs/security.md."""
import os
import random
import threading

import pytest

import loa_identity as li
import raid
from loa_identity import content as cpb, device as dpb, pb, programme as ppb
from loa_broker import wait_until
from speaker_rig import correlate, speechlike

attack = raid.Attacks()
ONLY = os.environ.get("LOA_ATTACK", "").split()
EVIL_ROOT = li.new_root()


def evil_province():
    return EVIL_ROOT.authority("province_08", "vn/08")


def signed(who, type_, body, area, **more):
    return who.envelope(type_, body, area=area, **more)


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
    t.plan(t.programme([t.bulletin()], signer=south.service(
        "scheduler_09", "scheduler", "vn/09", powers=li.SCHEDULE)))
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
    t.plan(t.programme([t.bulletin()], signer=weak.service(
        "scheduler_08", "scheduler", "vn/08", powers=li.SCHEDULE)))
    t.refused()


@attack("P1", key="commune authority")
def area_beyond_the_issuer(t):
    small = t.rig.province.authority("small", "vn/08/070/99999")
    t.plan(t.programme([t.bulletin()], signer=small.service(
        "scheduler_08", "scheduler", "vn/08", powers=li.SCHEDULE)))
    t.refused()


@attack("P1", key="authority of an hour")
def validity_beyond_the_issuer(t):
    brief = t.rig.province.authority(
        "brief", "vn/08", not_before_ms=li.now_ms() - 7200000,
        not_after_ms=li.now_ms() + 3600000)
    t.plan(t.programme([t.bulletin()], signer=brief.service(
        "scheduler_08", "scheduler", "vn/08", powers=li.SCHEDULE,
        not_after_ms=li.now_ms() + 30 * li.DAY_MS)))
    t.refused()


@attack("P1", key="staff with SCHEDULE")
def staff_issues_certificates(t):
    """A leaf signs a certificate for a scheduler of the attacker's own."""
    staff = t.rig.province.staff("tham", "vn/08", powers=li.SCHEDULE
                                 | li.CONTENT_APPROVE | li.DELEGATE)
    t.plan(t.programme([t.bulletin()], signer=staff.service(
        "scheduler_08", "scheduler", "vn/08", powers=li.SCHEDULE)))
    t.refused()


@attack("P1", key="a device")
def device_issues_certificates(t):
    t.plan(t.programme([t.bulletin()], signer=t.pole.identity.service(
        "scheduler_08", "scheduler", t.area, powers=li.SCHEDULE)))
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
    t.plan(t.programme([t.bulletin()], signer=t.rig.province.service(
        "scheduler_old", "scheduler", "vn/08", powers=li.SCHEDULE,
        not_before_ms=li.now_ms() - 9 * li.DAY_MS,
        not_after_ms=li.now_ms() - 1000)))
    t.refused()


@attack("P1")
def not_yet_valid_certificate(t):
    t.plan(t.programme([t.bulletin()], signer=t.rig.province.service(
        "scheduler_new", "scheduler", "vn/08", powers=li.SCHEDULE,
        not_before_ms=li.now_ms() + li.DAY_MS,
        not_after_ms=li.now_ms() + 9 * li.DAY_MS)))
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
        t.plan(t.programme([t.bulletin()], signer=t.rig.province.service(
            "scheduler_a", "scheduler", "vn/08", powers=li.SCHEDULE,
            algorithm=algorithm)))
    for version in (0, 2):
        t.plan(t.programme([t.bulletin()], signer=t.rig.province.service(
            "scheduler_v", "scheduler", "vn/08", powers=li.SCHEDULE,
            version=version)))
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


# --- keys alone ------------------------------------------------------------------------

@attack("P8 #5", key="approver")
def approvers_key_alone(t):
    """May approve anything, and puts nothing on air."""
    t.plan(t.programme([t.bulletin()], signer=t.rig.approver))
    t.send("head", signed(t.rig.approver, pb.TYPE_HEAD, ppb.Head(
        time_ms=li.now_ms(), programme_version=li.now_ms()), t.area,
        ttl_ms=60000))
    t.send("command", t.rig.approval(t.evil, area=t.area))
    t.refused()


@attack("P8 #5", key="scheduler")
def schedulers_key_alone_new_speech(t):
    """Its own recording, approved by itself."""
    t.honest(approver=t.rig.scheduler)
    t.reason = "role"


@attack("P8 #5", key="scheduler")
def schedulers_key_alone_no_approval(t):
    t.honest(approval=b"")
    t.reason = "unapproved"


@attack("P8 #5", key="scheduler")
def schedulers_key_alone_other_content(t):
    """The approval of something else beside its own recording."""
    t.honest(approval=t.rig.approval(t.rig.content(speechlike(1, seed=9))))
    t.reason = "unapproved"


@attack("P8", key="scheduler", may=raid.once)
def schedulers_key_alone_reorders(t):
    """All that it can do: approved content at a moment of its choice."""
    t.honest()


@attack("P8", key="one person with both powers")
def one_key_approves_and_schedules(t):
    """Two locks are two keys, whatever powers one certificate has."""
    both = t.rig.province.staff("tham_1", "vn/08",
                                powers=li.SCHEDULE | li.CONTENT_APPROVE)
    t.plan(t.programme([t.bulletin(approver=both)], signer=both))
    t.refused()


@attack("P8", key="one person with two keys")
def one_person_approves_and_schedules(t):
    a = t.rig.province.staff("tham_2", "vn/08", powers=li.CONTENT_APPROVE)
    b = t.rig.province.staff("tham_2", "vn/08", powers=li.SCHEDULE)
    t.plan(t.programme([t.bulletin(approver=a)], signer=b))
    t.reason = "quorum"


@attack("P8 #9", key="registry")
def registrys_key_alone(t):
    """The online key that certifies devices: it makes nobody speak."""
    r = t.rig.province.service("registry_1", "registry", "vn/08", max_depth=1,
                               powers=li.CONFIG | li.DELEGATE | li.REVOKE)
    for powers in (li.SCHEDULE, li.SCHEDULE | li.TIME, li.REVOKE, 0):
        s = r.service("scheduler_r", "scheduler", "vn/08", powers=powers)
        a = r.staff("mai_r", "vn/08", powers=li.CONTENT_APPROVE)
        t.plan(t.programme([t.bulletin(approver=a)], signer=s))
        t.plan(t.programme([t.bulletin()], signer=s))
        t.plan(t.programme([t.bulletin(approver=a)], signer=t.rig.scheduler))
    t.plan(t.programme([t.bulletin(approver=r)], signer=r))
    t.refused()


@attack("P8 #10", key="content-ingest")
def content_ingests_key_alone(t):
    c = t.rig.province.service("content_08", "content-ingest", "vn/08")
    t.plan(t.programme([t.bulletin()], signer=c))
    t.plan(t.programme([t.bulletin(approver=c)]))
    t.refused()


@attack("P8 #9", key="telemetry-collector")
def collectors_key_alone(t):
    t.plan(t.programme([t.bulletin()], signer=t.rig.collector))
    t.send("ack", t.rig.programme(t.area, [t.bulletin()],
                                  signer=t.rig.collector),
           f"{t.area}/@{t.pole.device}")
    t.send("command", signed(
        t.rig.collector, pb.TYPE_COMMAND, dpb.Command(
            set_volume=dpb.SetVolume(percent=0)), t.area, ttl_ms=60000,
        counter=li.now_ms() * 1000))
    t.refused()


@attack("P8", key="content-ingest and telemetry-collector and registry")
def every_service_but_the_scheduler(t):
    keys = [t.rig.registry, t.rig.collector, t.rig.province.service(
        "content_09", "content-ingest", "vn/08")]
    for approver in keys:
        for signer in keys:
            t.plan(t.programme([t.bulletin(approver=approver)],
                               signer=signer))
    t.refused()


@attack("P2 P8 #5 #9 #10", key="all four services")
def every_service_at_once(t):
    """Processes and keys of scheduler, content-ingest, registry and collector:
    everything but an approver's key. New speech has none that it could be."""
    keys = [t.rig.scheduler, t.rig.registry, t.rig.collector,
            t.rig.province.service("content_10", "content-ingest", "vn/08")]
    made = t.rig.province.service("registry_2", "registry", "vn/08",
                                  max_depth=1, powers=li.CONFIG | li.DELEGATE
                                  | li.REVOKE)
    keys.append(made.staff("mai_2", "vn/08", powers=li.CONTENT_APPROVE))
    for approver in keys:
        t.plan(t.programme([t.bulletin(approver=approver)]))
    t.plan(t.programme([t.bulletin(approver=k) for k in keys]))
    t.pole.wait_log("event=programme")


@attack("P6 #3", key="drill")
def drill_key_signs_the_real_thing(t):
    """Hawaii: a key for drills cannot say anything in earnest."""
    d = t.rig.province.service("scheduler_d", "scheduler", "vn/08",
                               powers=li.SCHEDULE | li.TIME | li.DRILL)
    t.plan(t.programme([t.bulletin()], signer=d))
    t.refused()


# --- packets ------------------------------------------------------------------------

@attack("P1 #11", key="scheduler")
def packets_of_another_key(t):
    evil = li.Identity()
    t.send("programme", t.programme([t.bulletin()]))
    t.pole.wait_receipt("RECEIVED")
    for i in range(t.evil.packets_n):
        t.send("content", t.evil.packet(i, key=evil), qos=0)
    t.reason = "incomplete"


@attack("P1 #8 #11", key="scheduler and the stream's key")
def stolen_stream_key_other_sound(t):
    """Well signed, but not the sound that was approved."""
    other = t.rig.content(speechlike(1.5, seed=67))
    t.send("programme", t.programme([t.bulletin()]))
    t.pole.wait_receipt("RECEIVED")
    for i in range(t.evil.packets_n):
        n = len(t.evil.frames[10 * i:10 * i + 10])
        t.send("content", t.evil.packet(
            i, frames=other.frames[10 * i:10 * i + n]), qos=0)
    t.reason = "incomplete"


@attack("P1 #11", key="the stream's key")
def one_packet_swapped(t):
    """Everything genuine but 200 ms."""
    other = t.rig.content(speechlike(1.5, seed=68))
    t.send("programme", t.programme([t.bulletin()]))
    t.pole.wait_receipt("RECEIVED")
    for i in range(t.evil.packets_n):
        t.send("content", t.evil.packet(i, frames=other.frames[
            10 * i:10 * i + 10] if i == 3 else None), qos=0)
    t.reason = "incomplete"


def as_approved(t, before, started):
    said = raid.once(t, before, started)
    if said is None:
        c, _ = correlate(before, t.evil.pcm, t.pole.index(t.start))
        said = f"it is not what was approved: {c:.2f}" if c < 0.9 else None
    return said


@attack("P1 P2 #11", key="the stream's key", may=as_approved)
def substituted_while_it_sounds(t):
    """Moscow: the stream is replaced in the middle. What was approved goes on to
    its end, whatever comes meanwhile."""
    other = t.rig.content(speechlike(1.5, seed=69))
    b = t.honest()
    t.pole.wait_receipt("VERIFIED", b.id)
    t.until_ms = t.start + 2500

    def replace():
        wait_until(lambda: t.pole.receipts("STARTED", b.id), "it sounds", 20)
        for i in range(t.evil.packets_n):
            t.send("content", t.evil.packet(i, frames=other.frames[
                10 * i:10 * i + len(t.evil.frames[10 * i:10 * i + 10])]),
                qos=0)
        t.plan(t.programme([t.bulletin(other, approver=t.rig.scheduler)]))
    threading.Thread(target=replace, daemon=True).start()


@attack("P1")
def sound_nobody_scheduled(t):
    """A content, packets and approval: but no programme."""
    t.push()
    t.send("content", t.rig.approval(t.evil))
    t.send("approval", t.rig.approval(t.evil))


@attack("P1")
def packets_with_wild_numbers(t):
    t.send("programme", t.programme([t.bulletin()]))
    t.pole.wait_receipt("RECEIVED")
    for sequence in (0xffffffff, 0x80000000, t.evil.packets_n, 1 << 20):
        t.send("content", cpb_packet(t.evil, sequence, t.evil.frames[:10]),
               qos=0)
    for frames in ([], [b""] * 10, [b"x" * 1275] * 10, [b"x"] * 64):
        t.send("content", cpb_packet(t.evil, 0, frames), qos=0)
    t.reason = "incomplete"


def cpb_packet(content, sequence, frames):
    body = cpb.AudioPacketBody(stream_key=content.stream.key,
                               sequence=sequence,
                               frames=frames).SerializeToString()
    return cpb.AudioPacket(signed=body, signature=content.stream.sign(
        "packet", body)).SerializeToString()


# --- when: repeat, reorder, delay, roll back -----------------------------------------------

@attack("P3 #1", may=raid.once)
def everything_repeated_a_hundred_times(t):
    """Programme, packets and head again and again, before, while and after
    they are due: heard once."""
    b = t.bulletin()
    e = t.programme([b])
    for _ in range(100):
        t.send("programme", e, retain=True)
    for _ in range(10):
        t.push()


@attack("P3", may=raid.once)
def reordered(t):
    """Packets backwards and before their programme, twice."""
    for _ in range(2):
        for i in reversed(range(t.evil.packets_n)):
            t.send("content", t.evil.packet(i), qos=0)
        t.send("programme", t.programme([t.bulletin()], version=1000), qos=1)
    t.send("programme", t.programme([t.bulletin()]))
    t.pole.wait_receipt("RECEIVED")
    order = list(range(t.evil.packets_n))
    random.Random(3).shuffle(order)
    for i in order:
        t.send("content", t.evil.packet(i), qos=0)


@attack("P4")
def every_packet_dropped(t):
    t.send("programme", t.programme([t.bulletin()]))
    t.reason = "incomplete"


@attack("P3", after=True)
def delayed_past_its_moment(t):
    """Held back until five seconds after the start: not said late."""
    b = t.bulletin(start=li.now_ms() - 5000)
    t.plan(t.programme([b]))


@attack("P3 #1")
def delayed_past_its_end(t):
    t.plan(t.programme([t.bulletin()], issued_at_ms=li.now_ms() - 7200000,
                       ttl_ms=3600000))
    t.refused()


@attack("P3")
def programme_rolled_back(t):
    """The cancelled plan of a minute ago, after the one that cancelled it."""
    old = t.programme([t.bulletin()])
    t.send("programme", t.programme([]))
    t.pole.wait_log("bulletins=0")
    t.plan(old)


@attack("P3")
def programme_rolled_back_over_a_reboot(t):
    old = t.programme([t.bulletin()])
    t.send("programme", t.programme([]), retain=True)
    t.pole.wait_log("bulletins=0")
    t.pole.stop()
    t.rig.states.pop(t.pole.device, None)
    t.send("programme", old, retain=True)
    t.pole.start().wait_online()
    t.plan(old)


@attack("P3", key="scheduler")
def fast_forwarded_version(t):
    """A version far ahead would lock out every honest one after it."""
    for days in (2, 400, 36500):
        t.plan(t.programme([t.bulletin()],
                           version=li.now_ms() + days * li.DAY_MS))
    t.plan(t.programme([t.bulletin()], version=(1 << 63) - 1))
    t.plan(t.programme([t.bulletin()], version=(1 << 64) - 1))
    t.rig.versions.pop(t.area, None)
    t.refused()


@attack("P3 P4")
def programme_from_the_future(t):
    t.plan(t.programme([t.bulletin()], issued_at_ms=li.now_ms() + 3600000))
    t.refused()


@attack("P3 #1", key="commander")
def replayed_command(t):
    """Dallas: one genuine Stop, played back over and over."""
    e = t.rig.command(t.area, stop=os.urandom(16))
    t.pole.wait_receipt("COMMAND")
    for _ in range(50):
        t.send("command", e)
    t.refused()
    n = len(t.pole.receipts("COMMAND"))
    if n != 1:
        t.wrong = f"{n} commands carried out"


@attack("P3 #1", key="commander of the commune next door")
def retargeted_command(t):
    """Volume 0 for a neighbour, and for another device of this area."""
    c = dpb.Command(device="pole_999", set_volume=dpb.SetVolume(percent=0))
    for area, who in ((t.area, t.rig.commander), ("vn/08/070/99999",
                                                  t.rig.commander)):
        t.send("command", signed(who, pb.TYPE_COMMAND, c, area, ttl_ms=60000,
                                 counter=li.now_ms() * 1000 + 5))
    south = t.rig.province.staff("nga", "vn/08/070/99999", powers=li.COMMAND)
    c.device = ""
    t.send("command", signed(south, pb.TYPE_COMMAND, c, t.area, ttl_ms=60000,
                             counter=li.now_ms() * 1000 + 6))
    t.refused()
    if t.pole.receipts("COMMAND"):
        t.wrong = "it obeyed"


@attack("P3", key="a revoked commander")
def fast_forwarded_counter(t):
    """The counter of a stolen key dies with that key: others still stop."""
    gone = t.rig.province.staff("cuong", t.area, powers=li.COMMAND)
    c = dpb.Command(set_volume=dpb.SetVolume(percent=100))
    for counter in ((1 << 64) - 1, li.now_ms() * 1000 + 2 * li.DAY_MS * 1000,
                    li.now_ms() * 1000 + 3600 * 10**6):
        t.send("command", signed(gone, pb.TYPE_COMMAND, c, t.area,
                                 ttl_ms=60000, counter=counter))
    t.pole.wait_receipt("COMMAND")
    t.rig.command(t.area, volume=100)
    t.pole.wait_receipt("COMMAND", count=2)


# --- heads, retained, revocations -------------------------------------------------------------

@attack("P3 P4")
def stale_head(t):
    """Heads of an hour ago and of another area: nothing follows from them."""
    for age_s in (3600, 86400):
        t.send("head", signed(t.rig.scheduler, pb.TYPE_HEAD, ppb.Head(
            time_ms=li.now_ms() - age_s * 1000, programme_version=1), t.area,
            issued_at_ms=li.now_ms() - age_s * 1000, ttl_ms=900000),
            retain=True)
    t.send("head", signed(t.rig.scheduler, pb.TYPE_HEAD, ppb.Head(
        time_ms=li.now_ms()), "vn/08/070/99999", ttl_ms=900000), retain=True)
    t.refused()


@attack("P3")
def mixed_heads_and_programmes(t):
    """The head of one version with the programme of an older one."""
    old = t.programme([t.bulletin()])
    new = t.programme([])
    t.send("programme", new)
    t.pole.wait_log("bulletins=0")
    t.rig.publish_head(t.area, version=pb_version(old))
    t.plan(old)
    t.rig.publish_head(t.area, version=pb_version(new) + 5)
    t.plan(old)


def pb_version(envelope):
    s, _ = li.open_envelope(envelope)
    return ppb.Programme.FromString(s.body).version


@attack("P3", key="scheduler, revoked afterwards")
def time_poisoned_by_a_head(t):
    """A head that says it is 2100 would silence the device until then."""
    thief = t.rig.province.service("scheduler_t", "scheduler", "vn/08",
                                   powers=li.SCHEDULE | li.TIME)
    for time_ms in ((1 << 53), li.now_ms() + 27000 * li.DAY_MS,
                    li.now_ms() + 3 * li.DAY_MS, (1 << 63) - 1):
        t.send("head", signed(thief, pb.TYPE_HEAD, ppb.Head(time_ms=time_ms),
                              t.area, ttl_ms=60000))
        t.send("head", signed(thief, pb.TYPE_HEAD, ppb.Head(time_ms=time_ms),
                              t.area, ttl_ms=60000, issued_at_ms=min(
                                  time_ms, 1 << 60)))
    t.refused()
    t.pole.wait_log("event=time.untrusted")
    t.revoke(thief)
    wait_until(lambda: t.pole.log().count("event=time.known") == 2,
               "time is known again")


@attack("P4 M5")
def poisoned_retained(t):
    """Retained rubbish on every topic that the device will read."""
    rng = random.Random(5)
    for kind in ("programme", "head", "trust", "command", "content", "ack"):
        for area in (t.area, f"{t.area}/@{t.pole.device}"):
            t.send(kind, rng.randbytes(4000), area, retain=True)
    t.again()
    for kind in ("programme", "head", "trust"):
        t.send(kind, b"", retain=True)
    t.refused()


@attack("P4 M5")
def ten_thousand_poisoned_retained(t):
    """Each an honest document with something wrong in it, each retained in place
    of the one before; the last of every kind is found after a reboot too."""
    rng = random.Random(10)
    good = {"programme": t.programme([t.bulletin()]),
            "trust": t.registry.trust_list(7, revoked=[t.rig.approver]),
            "head": signed(t.rig.scheduler, pb.TYPE_HEAD, ppb.Head(
                time_ms=li.now_ms(), programme_version=1), t.area,
                ttl_ms=60000)}
    kinds = list(good)
    for i in range(10000):
        bad = bytearray(good[kinds[i % 3]])
        for _ in range(1 + i % 4):
            bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        if bytes(bad) != good[kinds[i % 3]]:
            t.send(kinds[i % 3], bytes(bad), retain=True, qos=0)
    t.push()
    t.refused()
    t.again()
    for kind in kinds:
        t.send(kind, b"", retain=True)


@attack("P1 M4")
def will_of_a_stranger(t):
    """Dying with a programme of one's own making as the last will."""
    import paho.mqtt.client as mqtt
    for kind, payload in (
            ("programme", t.programme([t.bulletin()], signer=t.rig.collector)),
            ("trust", os.urandom(300)), ("command", os.urandom(300))):
        c = mqtt.Client(client_id="w" + os.urandom(4).hex(),
                        protocol=mqtt.MQTTv5)
        c.will_set(f"loa/1/down/{kind}/{t.area}", payload, 1, True)
        c.connect("127.0.0.1", t.rig.port)
        c.loop(0.1)
        c.socket().close()
    t.push()
    t.refused()
    for kind in ("programme", "trust", "command"):
        t.send(kind, b"", retain=True)


@attack("P4")
def emptied_retained(t):
    """The attacker clears everything that was retained."""
    for kind in ("programme", "head", "trust"):
        t.send(kind, b"", retain=True)


@attack("P1", key="an approver who is revoked")
def revoked_approver(t):
    gone = t.rig.province.staff("tam", "vn/08", powers=li.CONTENT_APPROVE)
    b = t.honest(approver=gone)
    t.pole.wait_receipt("VERIFIED", b.id)
    t.revoke(gone)
    t.reason = "revoked"


@attack("P1 P3", key="an approver who is revoked")
def revocation_rolled_back(t):
    gone = t.rig.province.staff("tam_2", "vn/08", powers=li.CONTENT_APPROVE)
    old = t.registry.trust_list(1)
    t.revoke(gone, number=2)
    t.pole.wait_log("event=trust.accepted")
    t.send("trust", old, retain=True)
    t.again()
    t.send("trust", old)
    t.honest(approver=gone)
    t.reason = "revoked"


@attack("P1 P10", key="an approver who is revoked")
def foreign_trust_list_shuts_out_our_own(t):
    """The genuine list of another province, given to a device that has none
    yet: the revocations of its own province must still reach it."""
    south = t.rig.root.authority("province_09", "vn/09").service(
        "registry_09", "registry", "vn/09", powers=li.REVOKE)
    gone = t.rig.province.staff("tam_3", "vn/08", powers=li.CONTENT_APPROVE)
    t.send("trust", south.trust_list(9, area="vn/09"))
    t.revoke(gone, number=1)
    t.honest(approver=gone)
    t.reason = "revoked"


@attack("P1 P10", key="registry of the commune next door")
def neighbours_trust_list(t):
    near = t.rig.province.service("registry_n", "registry", "vn/08/070/99999",
                                  powers=li.REVOKE)
    gone = t.rig.province.staff("tam_4", "vn/08", powers=li.CONTENT_APPROVE)
    t.send("trust", near.trust_list(9, revoked=[t.rig.approver],
                                    area="vn/08/070/99999"))
    t.revoke(gone, number=1)
    t.honest(approver=gone)
    t.reason = "revoked"


@attack("P3", key="registry, then certified anew from above")
def fast_forwarded_trust_list(t):
    """A stolen registry key takes the highest number there is: a list from
    above still replaces it, and the device is not silent for ever."""
    t.revoke(t.rig.scheduler, t.rig.approver, number=(1 << 63) - 1)
    t.pole.wait_log("event=trust.accepted number=9223372036854775807")
    root_registry = t.rig.root.service("registry_0", "registry", "vn",
                                       powers=li.REVOKE)
    t.send("trust", root_registry.trust_list(1, area="vn"), retain=True)
    wait_until(lambda: t.pole.log().count("event=trust.accepted") == 2,
               "the list from above")


# --- the connection -------------------------------------------------------------------------

@attack("M10 P4")
def ids_and_topics_of_another_shape(t):
    """Devices, areas and topics with + # / and control characters."""
    e = t.programme([t.bulletin()])
    for area in ("vn/08/070", "vn/08/070//", "", "vn/+/070", "vn/#", "vn/08/070/"
                 + "a" * 17, "../../etc", "vn/08/070/\x01"):
        s = pb.Signed.FromString(pb.Envelope.FromString(e).signed)
        t.send("programme", signed(t.rig.scheduler, pb.TYPE_PROGRAMME, s.body,
                                   area))
    for name in ("a/b", "a+b", "a#", "a b", "", "x" * 33, "ữ"):
        who = t.rig.province.service(name, "scheduler", "vn/08",
                                     powers=li.SCHEDULE)
        t.plan(t.programme([t.bulletin()], signer=who))
    t.refused()


@attack("P4 M3", may=None)
def client_id_taken_over(t):
    """Somebody else connects as this device, again and again: what it was
    given it still says, later it is online again."""
    import paho.mqtt.client as mqtt
    for _ in range(5):
        c = mqtt.Client(client_id=t.pole.device, protocol=mqtt.MQTTv5)
        c.connect("127.0.0.1", t.rig.port)
        c.loop(0.1)
        c.loop(0.1)
        c.publish(f"loa/1/down/programme/{t.area}",
                  t.programme([t.bulletin()], signer=t.rig.collector), 1)
        c.loop(0.1)
        c.disconnect()
        c.loop(0.1)


@attack("P9 M6")
def flooded(t):
    """20,000 messages of rubbish on its topics: honest ones still arrive."""
    rng = random.Random(9)
    junk = [rng.randbytes(n) for n in (0, 1, 80, 700, 4000)]
    for i in range(4000):
        for kind in ("content", "programme", "head", "trust", "command"):
            t.send(kind, junk[i % 5], qos=0)
    t.refused(30)


@attack("M9 P4")
def giant_packets(t):
    """64 KB to 256 MB, the most that MQTT can say, in one packet: its memory does
    not grow with what a broker sends."""
    for n in (1 << 16, 1 << 20, 16 << 20, (1 << 28) - 100):
        t.send("programme", bytes(n), qos=0)
    wait_until(lambda: "event=mqtt.lost" in t.pole.log(), "it hangs up", 9)
    wait_until(lambda: t.pole.log().count("event=mqtt.connected") >= 2,
               "it comes back", 9)
    with open(f"/proc/{t.pole.process.pid}/status", encoding="ascii") as f:
        high_kb = int(next(x for x in f if x.startswith("VmHWM")).split()[1])
    if high_kb > 65536:
        t.wrong = f"it took {high_kb} kB"


# --- the tests ------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def verdicts():
    return raid.run({n: f for n, f in attack.items() if not ONLY or n in ONLY})


@pytest.mark.parametrize("name", ONLY or attack)
def test_owned_broker(verdicts, name):
    assert verdicts[name] is None, verdicts[name]
