"""The attacker owns the broker, and once the disk: loa-speaker stays silent.

One device per attack, all at the same time, and one honest one beside them: it
is what proves that the others could have spoken.
"""
import os

import loa_identity as li
from loa_identity import pb, programme as ppb
from loa_broker import wait_until
from speaker_rig import Rig, speechlike

ATTACKS = {}


def attack(f):
    ATTACKS[f.__name__] = f
    return f


class Try:
    """One device, one content, one start."""

    def __init__(self, rig, name, n, content, start):
        self.rig, self.name, self.content, self.start = rig, name, content, start
        self.area = f"vn/08/070/{n:05d}"
        self.pole = rig.speaker(f"pole_{n}", self.area)
        self.reason = None      # of the REFUSED receipt, where there is one

    def bulletin(self, **more):
        return self.rig.bulletin(self.content, self.start, **more)

    def honest(self, **more):
        b = self.bulletin(**more)
        self.rig.publish_programme(self.area, [b])
        self.rig.push(self.content, self.area)
        return b

    def raw_programme(self, envelope):
        self.rig.publish("programme", self.area, envelope, retain=True)
        self.rig.push(self.content, self.area)


# --- programmes -------------------------------------------------------------------

@attack
def garbage(t):
    t.raw_programme(os.urandom(2000))


@attack
def unsigned(t):
    e = pb.Envelope.FromString(t.rig.programme(t.area, [t.bulletin()]))
    del e.signatures[:]
    t.raw_programme(e.SerializeToString())


@attack
def altered(t):
    e = bytearray(t.rig.programme(t.area, [t.bulletin()]))
    i = bytes(e).index(t.content.hash)
    e[i] ^= 1
    t.raw_programme(bytes(e))


@attack
def another_root(t):
    root = li.new_root()
    province = root.authority("province_08", "vn/08")
    evil = province.service("scheduler_08", "scheduler", "vn/08",
                            powers=li.SCHEDULE | li.TIME)
    approver = province.staff("mai", "vn/08", powers=li.CONTENT_APPROVE)
    t.raw_programme(t.rig.programme(
        t.area, [t.bulletin(approver=approver)], signer=evil))


@attack
def signed_by_an_approver(t):
    t.raw_programme(t.rig.programme(t.area, [t.bulletin()],
                                    signer=t.rig.approver))


@attack
def signed_by_another_province(t):
    south = t.rig.root.authority("province_09", "vn/09")
    evil = south.service("scheduler_09", "scheduler", "vn/09",
                         powers=li.SCHEDULE)
    t.raw_programme(t.rig.programme(t.area, [t.bulletin()], signer=evil))


@attack
def powers_beyond_the_issuer(t):
    weak = t.rig.root.authority("weak", "vn/08", powers=li.CONTENT_APPROVE
                                | li.DELEGATE)
    evil = weak.service("scheduler_08", "scheduler", "vn/08",
                        powers=li.SCHEDULE)
    t.raw_programme(t.rig.programme(t.area, [t.bulletin()], signer=evil))


@attack
def expired_certificate(t):
    evil = t.rig.province.service(
        "scheduler_old", "scheduler", "vn/08", powers=li.SCHEDULE,
        not_before_ms=li.now_ms() - 9 * li.DAY_MS,
        not_after_ms=li.now_ms() - 1000)
    t.raw_programme(t.rig.programme(t.area, [t.bulletin()], signer=evil))


@attack
def of_a_neighbour(t):
    t.raw_programme(t.rig.programme("vn/08/070/99999", [t.bulletin()]))


@attack
def expired_programme(t):
    t.raw_programme(t.rig.programme(t.area, [t.bulletin()],
                                    issued_at_ms=li.now_ms() - 7200000,
                                    ttl_ms=3600000))


@attack
def far_ahead(t):
    t.raw_programme(t.rig.programme(t.area, [t.bulletin()],
                                    version=li.now_ms() + 2 * li.DAY_MS))


@attack
def rolled_back(t):
    old = t.rig.programme(t.area, [t.bulletin()])
    t.rig.publish_programme(t.area, [])
    t.pole.wait_log("bulletins=0")
    t.raw_programme(old)


@attack
def another_type(t):
    """A body that was signed as something else."""
    p = ppb.Programme(version=li.now_ms())
    b = t.bulletin()
    p.bulletins.append(b.message)
    p.approvals.append(b.approval)
    p.certificates.extend(b.approver.certificates)
    t.raw_programme(t.rig.scheduler.envelope(pb.TYPE_HEAD, p, area=t.area))


# --- approvals --------------------------------------------------------------------

@attack
def unapproved(t):
    t.honest(approval=b"")
    t.reason = "unapproved"


@attack
def approved_for_another_area(t):
    t.honest(approval=t.rig.approval(t.content, area="vn/08/070/99999"))
    t.reason = "not-for-us"


@attack
def approved_without_power(t):
    t.honest(approver=t.rig.province.staff("tu", "vn/08", powers=li.COMMAND))
    t.reason = "power"


@attack
def approved_by_a_service(t):
    t.honest(approver=t.rig.scheduler)
    t.reason = "role"


@attack
def approval_expires_before_the_start(t):
    t.honest(approval=t.rig.approval(t.content, ttl_ms=2000))
    t.reason = "expired"


@attack
def approver_revoked(t):
    gone = t.rig.province.staff("tam", "vn/08", powers=li.CONTENT_APPROVE)
    b = t.honest(approver=gone)
    t.pole.wait_receipt("VERIFIED", b.id)
    t.rig.publish_trust(1, revoked=[gone])
    t.reason = "revoked"


@attack
def approval_of_another_content(t):
    other = t.rig.content(speechlike(1, seed=9))
    t.honest(approval=t.rig.approval(other))
    t.reason = "unapproved"


# --- packets ----------------------------------------------------------------------

@attack
def altered_packets(t):
    t.rig.publish_programme(t.area, [t.bulletin()])
    for i in range(t.content.packets_n):
        p = bytearray(t.content.packet(i))
        p[len(p) // 2] ^= 1
        t.rig.publish("content", t.area, bytes(p), qos=0)
    t.reason = "incomplete"


@attack
def packets_of_another_key(t):
    evil = li.Identity()
    t.rig.publish_programme(t.area, [t.bulletin()])
    for i in range(t.content.packets_n):
        t.rig.publish("content", t.area, t.content.packet(i, key=evil), qos=0)
    t.reason = "incomplete"


@attack
def stolen_stream_key(t):
    """Well signed, but not what was approved."""
    other = t.rig.content(speechlike(2, seed=7))
    t.rig.publish_programme(t.area, [t.bulletin()])
    for i in range(t.content.packets_n):
        n = len(t.content.frames[10 * i:10 * i + 10])
        t.rig.publish("content", t.area, t.content.packet(
            i, frames=other.frames[10 * i:10 * i + n]), qos=0)
    t.reason = "incomplete"


# --- the disk ---------------------------------------------------------------------

def content_file(t):
    return os.path.join(t.pole.data, "content", t.content.hash.hex())


@attack
def content_altered_on_disk(t):
    b = t.honest()
    t.pole.wait_receipt("VERIFIED", b.id)
    t.pole.stop()
    with open(content_file(t), "r+b") as f:
        f.seek(1000)
        byte = f.read(1)
        f.seek(1000)
        f.write(bytes([byte[0] ^ 0x40]))
    t.pole.start()
    t.reason = "incomplete"


@attack
def programme_planted_on_disk(t):
    root = li.new_root()
    evil = root.service("scheduler_08", "scheduler", "vn/08",
                        powers=li.SCHEDULE)
    b = t.honest(approval=b"")
    t.pole.wait_receipt("RECEIVED", b.id)
    t.pole.stop()
    name = os.path.join(t.pole.data, "programme-" + t.area.replace("/", "."))
    assert os.path.exists(name)
    with open(name, "wb") as f:
        f.write(t.rig.programme(t.area, [t.bulletin()], signer=evil))
    t.pole.start()


def test_attacks_are_silent():
    with Rig() as rig:
        content = rig.content(speechlike(2))
        start = rig.soon(16)
        honest = Try(rig, "honest", 1, content, start)
        tries = {name: Try(rig, name, n + 2, content, start)
                 for n, name in enumerate(ATTACKS)}
        honest.pole.wait_online(30)
        for t in tries.values():
            t.pole.wait_online(30)
        honest.honest()
        for name, t in tries.items():
            ATTACKS[name](t)
        assert rig.now_ms() < start - 1500, "this machine is too busy"
        done = honest.pole.wait_receipt("FINISHED")
        assert abs(done.first_sample_us - start * 1000) < 200000
        # Later than this none of them could begin any more.
        wait_until(lambda: rig.now_ms() > start + 2500, "too late for all")
        honest.pole.stop()
        assert not honest.pole.silent()
        for name, t in tries.items():
            t.pole.stop()
            assert t.pole.silent(), name
            assert not t.pole.receipts("STARTED"), name
            if t.reason is not None:
                reasons = [r.reason for r in t.pole.receipts("REFUSED")]
                assert reasons == [t.reason], (name, reasons)


def test_any_bytes_on_any_topic():
    with Rig() as rig:
        pole = rig.speaker().wait_online()
        for kind in ("programme", "content", "head", "trust", "command",
                     "ack", "alert", "live", "nonsense"):
            for where in (pole.area, f"{pole.area}/@{pole.device}", "vn"):
                for size in (0, 1, 100, 4096):
                    rig.publish(kind, where, os.urandom(size))
        content = rig.content(speechlike(1))
        b = rig.bulletin(content, rig.soon(2))
        rig.publish_programme(pole.area, [b])
        rig.push(content, pole.area)
        pole.wait_receipt("FINISHED", b.id)
        assert pole.stop() == 0
