"""Subscriptions, publications, retained messages and wills at a real broker:
who is let through, and with which MQTT 5 code the others are refused."""
import subprocess

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from loa_broker import ROOT_DIR, Broker, wait_until
from loa_identity import (ALL, COMMAND, DRILL, device, new_root, pb, programme)

DENIED = 0x87
NOBODY = 0x10       # No matching subscribers: accepted.
POLE_AREA = "vn/08/070/02215"
STATE = f"loa/1/up/state/{POLE_AREA}/@pole_1"


def state(presence, session=1):
    return device.State(presence=presence,
                        session=session).SerializeToString()


ONLINE = state(device.PRESENCE_ONLINE)
LOST = state(device.PRESENCE_LOST)


class World:
    def __init__(self):
        self.root = new_root()
        p = self.province = self.root.authority("province_08", "vn/08")
        self.lan = p.staff("lan", "vn/08/070", powers=COMMAND)
        self.minh = p.staff("minh", "vn/08/071", powers=COMMAND)
        self.clerk = p.staff("clerk", "vn/08/070")
        self.pole = p.device("pole_1", POLE_AREA)
        self.pole_2 = p.device("pole_2", POLE_AREA)
        self.scheduler = p.service("sched_08", "scheduler", "vn/08")
        self.registry = p.service("reg_08", "registry", "vn/08",
                                  powers=ALL & ~DRILL)
        self.ingest = p.service("ingest_08", "content-ingest", "vn/08")
        self.collector = p.service("tele_08", "telemetry-collector", "vn/08")


@pytest.fixture(scope="module")
def w():
    world = World()
    with Broker(world.root) as world.broker:
        yield world


@pytest.fixture
def connect(w):
    clients = []

    def open_one(who, *args, **more):
        c = w.broker.connect(who, *args, **more)
        clients.append(c)
        return c
    yield open_one
    for c in clients:
        c.close()


def test_subscriptions(w, connect):
    refused = ["#", "+", "+/#", "+/+/+/+/+", "loa/#", "loa/1/#", "loa/1/+/#",
               "loa/1/down/#", "loa/1/+/state/" + POLE_AREA,
               "loa/1/down/+/+", "loa/1/down/+/vn/+",
               "loa/1/down/+/vn/#", f"loa/1/down/+/{POLE_AREA}/#",
               f"loa/1/down/+/{POLE_AREA}/@pole_2",
               f"loa/1/down/+/{POLE_AREA}/+", "loa/1/down/+/vn/09",
               "loa/1/up/+/vn/08/#", STATE, "loa/1/rpc/+/vn/08/#",
               f"loa/1/rpc/scheduler/{POLE_AREA}/@pole_1",
               "$SYS/#", "$SYS/broker/uptime", "$CONTROL/#",
               "$share/g/loa/1/down/+/vn", "$share/g/#",
               "$share/g/loa/1/down/programme/" + POLE_AREA]
    pole = connect(w.pole)
    for f in refused:
        assert pole.subscribe(f) == DENIED, f
    for f in ("loa/1/down/+/vn", "loa/1/down/+/vn/08",
              "loa/1/down/+/vn/08/070", f"loa/1/down/+/{POLE_AREA}",
              f"loa/1/down/+/{POLE_AREA}/@pole_1",
              f"loa/1/rpc/reply/{POLE_AREA}/@pole_1"):
        assert pole.subscribe(f) == 1, f
    assert pole.connected


def test_old_clients_see_0x80(w, connect):
    old = connect(w.pole, protocol=mqtt.MQTTv311)
    assert old.subscribe("#") == 0x80
    assert old.subscribe("loa/1/down/+/vn") == 1
    # A refused publication looks like any other to them.
    assert old.publish("loa/1/down/programme/vn", b"x") == 0
    assert old.connected


def test_publications(w, connect):
    pole = connect(w.pole)
    for topic in (f"loa/1/up/state/{POLE_AREA}/@pole_2",
                  f"loa/1/up/state/{POLE_AREA}", "loa/1/up/state/vn/@pole_1",
                  "loa/1/up/state/vn/09/@pole_1", "loa/1/down/programme/vn",
                  f"loa/1/down/programme/{POLE_AREA}/@pole_1",
                  f"loa/1/down/ack/{POLE_AREA}/@pole_1",
                  f"loa/1/rpc/registry/{POLE_AREA}/@pole_1",
                  f"loa/1/rpc/reply/{POLE_AREA}/@pole_1",
                  f"loa/1/up/other/{POLE_AREA}/@pole_1",
                  f"loa/2/up/state/{POLE_AREA}/@pole_1",
                  "$SYS/broker/uptime", "$CONTROL/dynamic-security/v1",
                  "$share/g/a", "a", STATE + "/x", "loa/1/up/state//@pole_1"):
        assert pole.publish(topic, b"x") == DENIED, topic
        assert pole.publish(topic, b"x", retain=True) == DENIED, topic
    for kind in "state", "health", "receipt", "want":
        assert pole.publish(f"loa/1/up/{kind}/{POLE_AREA}/@pole_1",
                            b"x") == NOBODY
    assert pole.publish(f"loa/1/rpc/scheduler/{POLE_AREA}/@pole_1",
                        b"x") == NOBODY
    assert pole.connected


def test_hundred_refusals_do_not_end_the_connection(w, connect):
    pole = connect(w.pole)
    for _ in range(100):
        assert pole.publish("loa/1/down/head/vn", b"x") == DENIED
    assert pole.connected


def test_filters_fill_the_broker(w, connect):
    """Made-up kinds are covered by a right for any kind: 128 are enough, also
    for a session that comes back for more."""
    def subscribe(c, letter):
        filters = [(f"loa/1/down/{letter}{chr(97 + n // 26)}{chr(97 + n % 26)}"
                    "/vn", SubscribeOptions(qos=0)) for n in range(200)]
        _, mid = c.mqtt.subscribe(filters)
        return wait_until(lambda: c._subacks.get(mid), "SUBACK")

    keep = Properties(PacketTypes.CONNECT)
    keep.SessionExpiryInterval = 600
    pole = connect(w.pole, connect_properties=keep)
    assert subscribe(pole, "a") == [0] * 128 + [DENIED] * 72
    assert pole.connected
    pole.close()
    pole = connect(w.pole, connect_properties=keep, clean_start=False)
    assert subscribe(pole, "b") == [DENIED] * 200
    pole.close()
    assert connect(w.pole).subscribe("loa/1/down/+/vn") == 1


def test_retained_only_where_the_table_says(w, connect):
    pole, sched = connect(w.pole), connect(w.scheduler)
    lan, collector = connect(w.lan), connect(w.collector)
    ingest, registry = connect(w.ingest), connect(w.registry)
    head_to_one = f"loa/1/down/head/{POLE_AREA}/@pole_1"
    for client, topic, retained in (
            (pole, STATE, True),
            (pole, f"loa/1/up/health/{POLE_AREA}/@pole_1", False),
            (pole, f"loa/1/up/receipt/{POLE_AREA}/@pole_1", False),
            (pole, f"loa/1/rpc/scheduler/{POLE_AREA}/@pole_1", False),
            (sched, f"loa/1/down/programme/{POLE_AREA}", True),
            (sched, f"loa/1/down/head/{POLE_AREA}", True),
            (sched, head_to_one, False),
            (sched, "loa/1/rpc/reply/vn/08/070/@lan", False),
            (lan, "loa/1/rpc/scheduler/vn/08/070/@lan", False),
            (lan, "loa/1/down/command/vn/08/070", False),
            (lan, f"loa/1/down/command/{POLE_AREA}/@pole_1", False),
            (collector, "loa/1/pub/summary/vn/08", True),
            (collector, f"loa/1/down/ack/{POLE_AREA}/@pole_1", False),
            (ingest, f"loa/1/down/content/{POLE_AREA}", False)):
        assert client.publish(topic, b"x") in (0, NOBODY), topic
        want = (0, NOBODY) if retained else (DENIED,)
        assert client.publish(topic, b"x", retain=True) in want, topic
        # Clearing is publishing.
        assert client.publish(topic, b"", retain=True) in want, topic
    # Nobody clears another's.
    assert pole.publish(STATE, ONLINE, retain=True) in (0, NOBODY)
    for other in sched, lan, collector, registry:
        assert other.publish(STATE, b"", retain=True) == DENIED
    assert collector.subscribe("loa/1/up/state/vn/08/#") == 1
    assert collector.wait_message(STATE).payload == ONLINE


def test_too_large(w, connect):
    ingest = connect(w.ingest)
    topic = f"loa/1/down/content/{POLE_AREA}"
    assert ingest.publish(topic, b"x" * 65536) == NOBODY
    assert ingest.publish(topic, b"x" * 65537) == 0x95
    assert ingest.connected
    ingest.publish(topic, b"x" * 70001, qos=0)
    # 0x95 in a DISCONNECT, or the connection is just gone.
    assert ingest.wait_closed() in (0x95, None, 1, 7)


def test_one_district_is_closed_to_another(w, connect):
    lan, minh = connect(w.lan), connect(w.minh)
    sched = connect(w.scheduler)
    for f in ("loa/1/up/+/vn/08/071/#", "loa/1/down/+/vn/08/071/#",
              "loa/1/up/state/vn/08/#", "loa/1/pub/summary/vn/08/071",
              "loa/1/rpc/reply/vn/08/071/@minh",
              "loa/1/rpc/reply/vn/08/070/@minh"):
        assert lan.subscribe(f) == DENIED, f
    for topic in ("loa/1/down/command/vn/08/071",
                  "loa/1/down/command/vn/08",
                  "loa/1/rpc/scheduler/vn/08/071/@minh",
                  "loa/1/rpc/scheduler/vn/08/071/@lan",
                  "loa/1/rpc/scheduler/vn/08/070/@minh"):
        assert lan.publish(topic, b"x") == DENIED, topic
    assert lan.subscribe("loa/1/down/+/vn/08/070/#") == 1
    assert minh.subscribe("loa/1/down/+/vn/08/071/#") == 1
    sched.publish("loa/1/down/programme/vn/08/071/02300", b"71")
    sched.publish("loa/1/down/programme/vn/08/070/02215", b"70")
    sched.publish("loa/1/down/programme/vn/08", b"all")
    assert [m.payload for m in lan.drain()] == [b"70"]
    assert [m.payload for m in minh.drain()] == [b"71"]


def test_command_needs_the_power(w, connect):
    clerk, lan, pole = connect(w.clerk), connect(w.lan), connect(w.pole)
    pole.subscribe(f"loa/1/down/+/{POLE_AREA}")
    topic = f"loa/1/down/command/{POLE_AREA}"
    assert clerk.publish(topic, b"stop") == DENIED
    assert lan.publish(topic, b"stop") == 0
    assert pole.wait_message().payload == b"stop"


def test_request_and_answer(w, connect):
    lan, sched = connect(w.lan), connect(w.scheduler)
    reply = "loa/1/rpc/reply/vn/08/070/@lan"
    assert sched.subscribe("loa/1/rpc/scheduler/vn/08/#") == 1
    assert lan.subscribe(reply) == 1
    assert lan.publish("loa/1/rpc/scheduler/vn/08/070/@lan", b"?",
                       ResponseTopic=reply, CorrelationData=b"7") == 0
    m = sched.wait_message()
    assert m.properties.ResponseTopic == reply
    assert sched.publish(reply, b"!", CorrelationData=b"7") == 0
    assert lan.wait_message().properties.CorrelationData == b"7"


def test_wills(w, connect):
    lan = connect(w.lan, "lan-watch")
    assert lan.subscribe("loa/1/up/+/vn/08/070/#") == 1
    assert lan.subscribe("loa/1/down/+/vn/08/070/#") == 1
    collector = connect(w.collector)
    assert collector.subscribe("loa/1/up/state/vn/08/#") == 1
    lan.drain()

    def will_of(who, topic, payload, retain=True):
        """What others saw of it. Its author is told, once, if it was wrong."""
        connect(who, will=(topic, payload, 1, retain)).kill()
        return after(who, (topic, payload) == (STATE, LOST), topic)

    def after(who, right, topic):
        # The broker may see the next connection before the end of the last.
        codes = sorted(connect(who, check=False).code for _ in range(2))
        assert codes == [0, 0 if right else DENIED], topic
        assert connect(who).code == 0, topic
        return [(m.topic, m.payload) for m in lan.drain()]

    assert will_of(w.pole, STATE, LOST) == [(STATE, LOST)]
    assert will_of(w.pole, STATE, LOST, retain=False) == [(STATE, LOST)]
    assert will_of(w.pole, STATE, ONLINE) == []
    assert will_of(w.pole, STATE, b"") == []
    assert will_of(w.pole, STATE, b"\xff\xff") == []
    for topic in (f"loa/1/up/health/{POLE_AREA}/@pole_1",
                  f"loa/1/up/state/{POLE_AREA}/@pole_2",
                  f"loa/1/down/programme/{POLE_AREA}",
                  f"loa/1/down/command/{POLE_AREA}"):
        assert will_of(w.pole, topic, LOST) == [], topic
        assert will_of(w.pole, topic, LOST, retain=False) == [], topic
    # Nobody else has a will, not even where he may publish.
    assert will_of(w.lan, f"loa/1/down/command/{POLE_AREA}", b"x",
                   retain=False) == []
    assert will_of(w.scheduler, f"loa/1/down/programme/{POLE_AREA}",
                   b"x") == []
    # Pushed out by a connection of the same client id, it dies as it would.
    for payload, seen in (LOST, [(STATE, LOST)]), (ONLINE, []):
        connect(w.pole, will=(STATE, payload, 1, True))
        assert after(w.pole, bool(seen), STATE) == seen
    # MQTT 3.1.1 has the old code.
    connect(w.pole, will=("a", b"x", 0, False)).kill()
    old = [connect(w.pole, check=False, protocol=mqtt.MQTTv311).code
           for _ in range(2)]
    assert sorted(old) == [0, 5]
    # None of the wrong ones was retained.
    late = connect(w.clerk)
    for f in ("loa/1/up/+/vn/08/070/#", "loa/1/down/+/vn/08/070/#"):
        assert late.subscribe(f) == 1
    assert {(m.topic, m.payload) for m in late.drain()} == {(STATE, LOST)}


def test_author_of_a_wrong_will_learns_which(w):
    """The log has both: that it was refused, and that its author was told. It
    has ten lines a second, so this is a broker of its own."""
    topic = f"loa/1/down/command/{POLE_AREA}"
    delay = Properties(PacketTypes.WILLMESSAGE)
    delay.WillDelayInterval = 1
    for more in (), (delay,):
        with Broker(w.root) as broker:
            broker.connect(w.pole_2, will=(topic, LOST, 1, False,
                                           *more)).kill()
            wait_until(lambda: f"access=write client=pole_2 topic={topic} "
                       "why=will" in broker.log(), "it fires")
            assert broker.connect(w.pole_2, check=False).code == DENIED
            assert broker.connect(w.pole_2).code == 0
            assert ("client=pole_2 user=pole_2 address=127.0.0.1 why=will "
                    f"topic={topic}") in broker.log()


def test_will_that_the_broker_itself_refuses(w, connect):
    """QoS 2 and wildcards are wrong for everybody: said at CONNECT."""
    assert connect(w.pole, check=False, will=(STATE, LOST, 2, True)
                   ).code == 0x9B


def test_will_is_not_sent_after_a_goodbye(w, connect):
    lan = connect(w.lan, "lan-watch")
    assert lan.subscribe("loa/1/up/+/vn/08/070/#") == 1
    lan.drain()
    connect(w.pole, will=(STATE, LOST, 1, True)).close()
    assert lan.drain() == []


def test_delayed_will_is_sent(w, connect):
    lan = connect(w.lan, "lan-watch")
    lan.subscribe(f"loa/1/up/state/{POLE_AREA}/#")
    lan.drain()
    delay = Properties(PacketTypes.WILLMESSAGE)
    delay.WillDelayInterval = 1
    c = connect(w.pole, will=(STATE, LOST, 1, True, delay))
    c.kill()
    assert lan.wait_message(STATE).payload == LOST


def test_trust_reaches_everybody_and_only_from_the_registry(w, connect):
    registry, pole, lan = (connect(w.registry), connect(w.pole),
                           connect(w.lan))
    topic = "loa/1/down/trust/vn/08"
    assert lan.subscribe(topic) == 1
    assert pole.subscribe("loa/1/down/+/vn/08") == 1
    good = w.registry.trust_list(1)
    for other in pole, lan, connect(w.scheduler):
        assert other.publish(topic, good, retain=True) == DENIED
    assert registry.publish("loa/1/down/trust/vn", good) == DENIED
    assert registry.publish("loa/1/down/trust/vn/08/070", good) == DENIED
    # Its own topic takes only what can be believed.
    for bad in (b"x", good[:-1], w.scheduler.trust_list(2),
                w.registry.envelope(pb.TYPE_HEAD, b""),
                w.registry.trust_list(2, ttl_ms=1000,
                                      issued_at_ms=1000)):
        assert registry.publish(topic, bad, retain=True) == DENIED
    assert registry.publish(topic, good, retain=True) == 0
    assert registry.publish(topic, good, retain=True) == 0, "repeated"
    assert lan.wait_message().payload == good
    assert pole.wait_message().payload == good
    late = connect(w.minh)
    assert late.subscribe(topic) == 1
    assert late.wait_message().payload == good


def test_nothing_waits_for_who_is_away(w, connect):
    """A session that outlives its connection: rights end with it."""
    keep = Properties(PacketTypes.CONNECT)
    keep.SessionExpiryInterval = 600
    lan = connect(w.lan, "lan-away", connect_properties=keep)
    assert lan.subscribe("loa/1/down/+/vn/08/070/#") == 1
    lan.close()
    sched = connect(w.scheduler)
    sched.publish("loa/1/down/head/vn/08/070", b"missed")
    again = connect(w.lan, "lan-away", connect_properties=keep,
                    clean_start=False)
    sched.publish("loa/1/down/head/vn/08/070", b"heard")
    assert again.wait_message().payload == b"heard"


def protoc(message, data):
    return subprocess.run(
        ["protoc", "-I", "proto", f"--decode=loa.v1.{message}",
         "proto/loa/v1/view.proto"], input=data, cwd=ROOT_DIR, check=True,
        capture_output=True).stdout.decode()


def test_strangers_can_read(w, connect):
    """mosquitto_sub and protoc, as docs/topics.md says."""
    body = programme.Programme(version=7, bulletins=[programme.Bulletin(
        bulletin_id=b"b" * 16, title="Bản tin sáng",
        starts_at_ms=[1790000000000])])
    topic = f"loa/1/down/programme/{POLE_AREA}"
    connect(w.scheduler).publish(
        topic, w.scheduler.envelope(pb.TYPE_PROGRAMME, body, area=POLE_AREA),
        retain=True)
    got = subprocess.run(
        ["mosquitto_sub", "-p", str(w.broker.port), "-V", "5",
         "-i", "lan-sub", "-u", "lan",
         "-P", w.lan.password(client_id="lan-sub"), "-t", topic,
         "-C", "1", "-N", "-W", "5"], check=True, capture_output=True).stdout
    text = protoc("ProgrammeView", got)
    assert "version: 7" in text and 'principal: "sched_08"' in text
    assert r'title: "B\341\272\243n tin s\303\241ng"' in text
