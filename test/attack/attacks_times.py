"""The attacker owns the broker: genuine messages at a wrong moment, again, or
instead of newer ones; what is kept there; the connection itself."""
import os
import random
import socket

import loa_identity as li
import raid
from loa_broker import wait_until
from loa_identity import device as dpb, pb, programme as ppb
from speaker_rig import Speaker

attack = raid.Attacks()


def signed(who, type_, body, area, **more):
    return who.envelope(type_, body, area=area, **more)


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
    t.pole.wait_log("event=trust.accepted")
    t.reason = "revoked"


@attack("P1", key="an approver who is revoked")
def renewed_without_a_word(t):
    """His authority signed his key again, off-line: the list can name neither
    that serial nor its end."""
    gone, renewed = (t.rig.province.staff(
        "tam_4", "vn/08", powers=li.CONTENT_APPROVE, seed=b"4" * 32)
        for _ in range(2))
    t.revoke(gone, keys=[gone])
    t.pole.wait_log("event=trust.accepted")
    t.honest(approver=renewed)
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
    t.refused()


def memory_high_kb(pole):
    with open(f"/proc/{pole.process.pid}/status", encoding="ascii") as f:
        return int(next(x for x in f if x.startswith("VmHWM")).split()[1])


@attack("M9 P4")
def giant_packets(t):
    """64 KB to 64 MB in one packet: its memory does not grow with what a broker
    sends. 256 MB: announced_256_megabytes."""
    for n in (1 << 16, 1 << 20, 16 << 20, 64 << 20):
        t.send("programme", bytes(n), qos=0)
    wait_until(lambda: "event=mqtt.lost" in t.pole.log(), "it hangs up")
    wait_until(lambda: t.pole.log().count("event=mqtt.connected") >= 2,
               "it comes back")
    high_kb = memory_high_kb(t.pole)
    if high_kb > 65536:
        t.wrong = f"it took {high_kb} kB"


class OwnPort:
    """A rig whose broker is whoever listens on this port."""

    def __init__(self, rig, port):
        self.port, self.folder, self.province = port, rig.folder, rig.province


@attack("M9 P4")
def announced_256_megabytes(t):
    """The most that MQTT can say, from a broker that is none: it says yes to the
    login and then sends one packet without end. The device takes a little of it,
    hangs up, and comes again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        pole = Speaker(OwnPort(t.rig, server.getsockname()[1]),
                       t.pole.device + "_b", t.area)
        t.rig.speakers.append(pole)
        for _ in range(2):
            swallowed = endless(server.accept()[0])
            if swallowed > 32 << 20:
                t.wrong = f"it took {swallowed} bytes"
        high_kb = memory_high_kb(pole)
        if high_kb > 65536:
            t.wrong = f"it took {high_kb} kB"
        pole.stop()


def endless(s):
    """Bytes that went out before the other side had enough."""
    sent, zeros = 0, bytes(65536)
    with s:
        s.settimeout(10)
        s.recv(65536)
        s.sendall(b"\x20\x03\x00\x00\x00" + b"\x30\xff\xff\xff\x7f")
        try:
            while sent < 1 << 28:
                sent += s.send(zeros)
        except OSError:
            pass
    return sent
