"""The attacker owns the broker: what one key can do, or several, and packets
whose key is known."""
import threading

import loa_identity as li
import raid
from loa_broker import wait_until
from loa_identity import content as cpb, device as dpb, pb, programme as ppb
from speaker_rig import correlate, speechlike

attack = raid.Attacks()


def signed(who, type_, body, area, **more):
    return who.envelope(type_, body, area=area, **more)


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
        wait_until(lambda: t.pole.receipts("STARTED", b.id), "it sounds")
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
