"""The attacker is on the network of the real broker with loa-auth: without a
key, with the key of a loudspeaker, or of a member of staff without powers. The
broker must go on serving: the oracle is again what the loudspeakers say."""
import os
import random
import socket

import pytest

import loa_identity as li
import raid
from guarded import GuardedRig
from loa_broker import wait_until
from loa_identity import device as dpb, pb
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

attack = raid.Attacks()
DENIED = 0x87


def join(t, who, *a, **k):
    return t.rig.guard.connect(who, *a, **k)


def thief(t, area=None):
    """A loudspeaker of the next commune, whose key was taken out of it."""
    return t.rig.province.device("thief_" + os.urandom(4).hex(),
                                 area or "vn/08/070/99999")


def expect(t, got, *wanted):
    if got not in wanted and t.wrong is None:
        t.wrong = f"{t.name}: the broker said {got!r}, not {wanted}"


def still_online(t):
    if t.pole.log().count("event=mqtt.connected") != 1:
        t.wrong = f"{t.name}: it was pushed off the broker"


@attack("P5 #16")
def nobody_without_a_login(t):
    for user, password in ((None, None), ("", ""), ("pole_1", ""),
                           ("admin", "admin"), ("pole_1", "88888888"),
                           ("scheduler_08", "12345678")):
        c = join(t, t.pole.identity, check=False, user=user or "",
                 password=password or "")
        expect(t, c.code, DENIED, 0x86, 0x85)
    with socket.create_connection(("127.0.0.1", t.rig.port)) as s:
        s.sendall(bytes.fromhex("101000044d5154540502003c000003616263"))
        expect(t, s.recv(16)[3:4], b"\x87", b"\x86", b"")


@attack("P5 P3")
def logins_of_another_kind(t):
    """For another broker, another client, of the past, with another root."""
    who = t.pole.identity
    tries = [who.password("other"), who.password("loa", "pole_999"),
             who.password("loa", issued_at_ms=li.now_ms() - 3600000),
             who.password("loa", issued_at_ms=li.now_ms() + 3600000),
             li.new_root().device(who.principal, who.area).password("loa"),
             li.base64url(who.envelope(pb.TYPE_RECEIPTS, pb.Login(
                 broker="loa", client_id=who.principal)))]
    for password in tries:
        expect(t, join(t, who, check=False, password=password).code, DENIED)
    still_online(t)


@attack("P3")
def login_used_twice(t):
    who = thief(t)
    password = who.password("loa")
    expect(t, join(t, who, password=password).code, 0)
    expect(t, join(t, who, check=False, password=password).code, DENIED)


@attack("M3")
def guarded_client_id_taken_over(t):
    """A valid key, but the client id of another loudspeaker, 50 times."""
    for i in range(50):
        who = thief(t) if i % 10 == 0 else who
        c = join(t, who, t.pole.device, check=False)
        expect(t, c.code, DENIED)
    still_online(t)


@attack("M2 M10")
def ids_with_wildcards(t):
    for name in ("+", "#", "a/b", "pole_1/#", "a b", "$SYS", "x" * 40, "ữ",
                 "pole_1\x00", "pole_1-x"):
        who = t.rig.province.device(name, "vn/08/070/99999")
        try:
            c = join(t, who, name, check=False)
        except AssertionError:
            continue        # it hung up without a word
        expect(t, c.code, DENIED, None, 0x85)


@attack("M1")
def wildcards_and_shares(t):
    c = join(t, thief(t))
    for f in ("#", "+/#", "loa/#", "loa/1/#", "loa/1/down/#", "loa/1/+/+/vn",
              "loa/1/down/+/#", "loa/1/down/+/+/08", "loa/1/up/#",
              "loa/1/down/+/vn/08/#", "loa/1/rpc/+/vn/08/#", "$SYS/#",
              "$CONTROL/#", "$share/g/#", "$share/g/loa/1/down/+/vn",
              f"$share/g/loa/1/down/+/{t.area}", f"loa/1/down/+/{t.area}",
              f"loa/1/up/receipt/{t.area}/@{t.pole.device}", "/loa/1/down",
              f"loa/1/rpc/reply/{t.area}/@{t.pole.device}"):
        expect(t, c.subscribe(f), DENIED, 0xA2, 0x9E, 0x8F)


@attack("M4")
def will_with_a_programme(t):
    for kind in ("programme", "head", "trust", "command"):
        c = join(t, thief(t), will=(f"loa/1/down/{kind}/{t.area}",
                                    t.programme([t.bulletin()]), 1, True))
        c.kill()


@attack("M5")
def retained_by_a_loudspeaker(t):
    """Poisoned and emptied: nobody but its owner writes a retained topic."""
    t.send("programme", t.programme([]), retain=True)
    t.pole.wait_log("bulletins=0")
    for who in (thief(t), t.rig.province.staff("tho_" + os.urandom(3).hex(),
                                               "vn/08")):
        c = join(t, who)
        for kind in ("programme", "head", "trust", "content", "ack"):
            for payload in (b"", t.programme([t.bulletin()]),
                            os.urandom(500)):
                expect(t, c.publish(f"loa/1/down/{kind}/{t.area}", payload,
                                    retain=True), DENIED)


@attack("P1 #12", key="staff without powers")
def staff_commands_without_the_power(t):
    c = join(t, t.rig.province.staff("kho", "vn/08"))
    body = t.rig.commander.envelope(pb.TYPE_COMMAND, dpb.Command(
        set_volume=dpb.SetVolume(percent=0)), area=t.area, ttl_ms=60000,
        counter=li.now_ms() * 1000)
    for where in (t.area, f"{t.area}/@{t.pole.device}", "vn/08"):
        expect(t, c.publish(f"loa/1/down/command/{where}", body), DENIED)
    if t.pole.receipts("COMMAND"):
        t.wrong = "it obeyed"


@attack("P2", key="a loudspeaker")
def state_and_receipts_of_another(t):
    c = join(t, thief(t))
    for kind in ("state", "receipt", "health", "want"):
        expect(t, c.publish(f"loa/1/up/{kind}/{t.area}/@{t.pole.device}",
                            b"x", retain=kind == "state"), DENIED)
    if not t.pole.online():
        t.wrong = "somebody else spoke for it"


@attack("M9")
def half_open_connections(t):
    """600 connections that say nothing, or half a CONNECT, and stay."""
    t.held = []
    for i in range(600):
        s = socket.create_connection(("127.0.0.1", t.rig.port), 5)
        if i % 2:
            s.sendall(b"\x10\xff\xff\x03\x00\x04MQ")
        t.held.append(s)


@attack("M9")
def packets_of_256_megabytes(t):
    """Announced before and after the login; over 65,536 and 70,000 bytes."""
    t.held = []
    for first in (0x10, 0x30, 0x82, 0xf0):
        s = socket.create_connection(("127.0.0.1", t.rig.port), 5)
        s.sendall(bytes([first]) + b"\xff\xff\xff\x7f")
        try:
            for _ in range(64):
                s.sendall(bytes(16384))
        except OSError:
            pass            # it hung up: that is the right answer
        t.held.append(s)
    c = join(t, thief(t))
    area = "vn/08/070/99999"
    topic = f"loa/1/up/health/{area}/@{c.mqtt._client_id.decode()}"
    expect(t, c.publish(topic, bytes(66000)), 0x95, DENIED)
    c.mqtt.publish(topic, bytes(1 << 20), 0)
    wait_until(lambda: not c.connected, "the connection ends")
    still_online(t)


@attack("M9 M10")
def malformed_packets(t):
    """3,000 connections and packets of rubbish, shaped like MQTT."""
    rng = random.Random(4)
    connect = bytes.fromhex("10190004") + b"MQTT" + bytes.fromhex(
        "05c2003c0000057468696566000161000162")
    for _ in range(300):
        try:
            with socket.create_connection(("127.0.0.1", t.rig.port), 5) as s:
                for _ in range(10):
                    p = bytearray(connect)
                    for _ in range(rng.randrange(6)):
                        p[rng.randrange(len(p))] = rng.randrange(256)
                    s.sendall(bytes(p) + rng.randbytes(rng.randrange(40)))
        except OSError:
            continue
    still_online(t)


@attack("P9 M6")
def guarded_flood(t):
    """A loudspeaker sends its health 20,000 times as fast as it can."""
    who = thief(t)
    c = join(t, who)
    topic = f"loa/1/up/health/{who.area}/@{who.principal}"
    for _ in range(20000):
        c.mqtt.publish(topic, b"x" * 200, 0)


@attack("M8", key="a bridge")
def bridge_without_rights(t):
    b = t.rig.province.issue(pb.ROLE_BRIDGE, "bridge_1", "vn/08",
                             powers=li.ALL & ~li.DRILL)
    c = join(t, b, check=False)
    if c.code == 0:
        expect(t, c.publish(f"loa/1/down/programme/{t.area}",
                            t.programme([t.bulletin()]), retain=True), DENIED)
        expect(t, c.subscribe("loa/1/up/#"), DENIED)


@attack("M7 P1", key="a loudspeaker that is revoked")
def revoked_while_connected(t):
    """It is thrown out, and its subscriptions with it."""
    who = t.rig.province.device("stolen_1", t.area)
    c = join(t, who)
    expect(t, c.subscribe(f"loa/1/down/+/{t.area}"), 1)
    t.rig.revoke(who)
    c.wait_closed()
    expect(t, join(t, who, check=False).code, DENIED)


@attack("M7 P1", key="a loudspeaker that is revoked")
def revoked_while_away(t):
    """Its session was to outlive the connection: nothing waits for it."""
    keep = Properties(PacketTypes.CONNECT)
    keep.SessionExpiryInterval = 600
    who = t.rig.province.device("stolen_2", t.area)
    c = join(t, who, connect_properties=keep)
    expect(t, c.subscribe(f"loa/1/down/+/{t.area}"), 1)
    c.close()
    t.rig.revoke(who)
    t.send("programme", t.programme([]))
    back = join(t, who, check=False, clean_start=False,
                connect_properties=keep)
    expect(t, back.code, DENIED)
    if not back.messages.empty():
        t.wrong = "it was given what it missed"


@attack("P2 P8 #5 #9 #10", key="each service in turn")
def services_beyond_their_topics(t):
    """Who owns a service's process and its login writes what that service writes,
    and no other's topics."""
    p = t.rig.province
    own = {"registry": ("trust",), "scheduler": ("programme", "head"),
           "content-ingest": ("content",), "telemetry-collector": ()}
    for service, kinds in own.items():
        c = join(t, p.service("thief_" + os.urandom(3).hex(), service, "vn/08",
                              powers=li.ALL & ~li.DRILL))
        for kind in ("programme", "head", "trust", "content", "command",
                     "live", "alert"):
            if kind in kinds:
                continue
            for retain in (False, True):
                expect(t, c.publish(f"loa/1/down/{kind}/{t.area}",
                                    t.programme([t.bulletin()]),
                                    retain=retain), DENIED)
        expect(t, c.publish(f"loa/1/up/receipt/{t.area}/@{t.pole.device}",
                            b"x"), DENIED)
        expect(t, c.subscribe("#"), DENIED)
        c.close()
    still_online(t)


@attack("M10")
def invalid_utf8_topics(t):
    """CVE-2017-7653: the broker hangs up on who sends one, and passes none on."""
    for bad in (b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80",
                b"a\x00b", b"\xe1\xbb"):
        who = thief(t)
        c = join(t, who)
        topic = b"loa/1/up/health/" + who.area.encode() + b"/@" + bad
        body = len(topic).to_bytes(2, "big") + topic + b"\0" + b"x"
        c.mqtt.socket().sendall(b"\x30" + bytes([len(body)]) + body)
        wait_until(lambda: not c.connected, "it hangs up")
    still_online(t)


@attack("M10", key="a loudspeaker")
def wild_properties_and_topics(t):
    """Topic aliases, subscription ids, empty and endless topics."""
    for topic, alias in (("loa/1/up/health/x", 65535), ("", 1), ("", 9)):
        c = join(t, thief(t))
        p = Properties(PacketTypes.PUBLISH)
        p.TopicAlias = alias
        try:
            c.mqtt.publish(topic, b"x", 0, False, p)
        except ValueError:
            pass            # the client library would not say it
    for topic in ("a/" * 300, "loa/1/down/programme/" + t.area + "/" + "x" * 60,
                  "loa//1/down", "loa/1/down/programme/../vn", "ữ" * 100):
        c = join(t, thief(t))
        expect(t, c.publish(topic, b"x"), DENIED, None)     # None: hung up


@pytest.fixture(scope="module")
def verdicts():
    return raid.run(attack, rig=GuardedRig)


@pytest.mark.parametrize("name", attack)
def test_guarded_broker(verdicts, name):
    assert verdicts[name] is None, verdicts[name]
