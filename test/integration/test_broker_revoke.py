"""Revocation and the end of certificates at a live broker: who is cut off,
how soon, that nobody comes back, and that a restart forgets nothing."""
import os
import signal
import time

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from loa_broker import Broker, wait_until
from loa_identity import ALL, DRILL, device, new_root, now_ms

DENIED = 0x87
CUT = 0x98          # DISCONNECT: administrative action.
POLE_AREA = "vn/08/070/02215"
TRUST = "loa/1/down/trust/vn/08"
LOST = device.State(presence=device.PRESENCE_LOST,
                    session=1).SerializeToString()


class World:
    def __init__(self):
        self.root = new_root()
        p = self.province = self.root.authority("province_08", "vn/08",
                                                powers=ALL & ~DRILL)
        self.district = p.authority("district_070", "vn/08/070")
        self.registry = p.service("reg_08", "registry", "vn/08",
                                  powers=ALL & ~DRILL)
        self.scheduler = p.service("sched_08", "scheduler", "vn/08")
        self.collector = p.service("tele_08", "telemetry-collector", "vn/08")
        self.lan = self.district.staff("lan", "vn/08/070")
        self.pole = self.district.device("pole_1", POLE_AREA)
        self.pole_2 = self.district.device("pole_2", POLE_AREA)
        self.number = 0

    def state_of(self, pole):
        return f"loa/1/up/state/{POLE_AREA}/@{pole.principal}"

    def revoke(self, registry, *who, **more):
        self.number += 1
        code = registry.publish(
            TRUST, self.registry.trust_list(self.number, who, **more),
            retain=True)
        assert code in (0, 0x10)


@pytest.fixture
def w():
    world = World()
    with Broker(world.root) as world.broker:
        yield world


def refused(w, who, why="revoked"):
    c = w.broker.connect(who, check=False)
    c.close()
    if c.code != DENIED:
        return False
    last = [line for line in w.broker.log().splitlines()
            if "event=login.refused" in line][-1]
    assert last.endswith("why=" + why), last
    return True


def test_revoked_device_is_cut_at_once_and_cannot_come_back(w):
    collector = w.broker.connect(w.collector)
    collector.subscribe("loa/1/up/state/vn/08/#")
    registry = w.broker.connect(w.registry)
    topic = w.state_of(w.pole)
    pole = w.broker.connect(w.pole, will=(topic, LOST, 1, True))
    other = w.broker.connect(w.pole_2)
    for c in pole, other:
        c.subscribe(f"loa/1/down/+/{POLE_AREA}")
    pole.publish(topic, b"online", retain=True)
    collector.wait_message(topic)

    began = time.monotonic()
    w.revoke(registry, w.pole)
    assert pole.wait_closed() == CUT
    assert time.monotonic() - began < 1
    # Its state says so, for everybody and for later.
    assert collector.wait_message(topic).payload == LOST
    lan = w.broker.connect(w.lan)
    lan.subscribe(topic)
    assert lan.wait_message(topic).payload == LOST

    assert refused(w, w.pole)
    assert other.connected and lan.connected
    sched = w.broker.connect(w.scheduler)
    sched.publish(f"loa/1/down/head/{POLE_AREA}", b"x")
    assert other.wait_message().payload == b"x"
    assert pole.messages.empty()


def test_sighup_throws_everybody_out(w):
    """The broker asks again about all whom it let in, and has nothing but the
    passwords that they used up. Who is gone but left a session stays, too: this
    version would expire it twice."""
    keep = Properties(PacketTypes.CONNECT)
    keep.SessionExpiryInterval = 600
    away = w.broker.connect(w.lan, "lan-away", connect_properties=keep)
    away.kill()
    password = w.lan.password()
    lan = w.broker.connect(w.lan, password=password)
    pole = w.broker.connect(w.pole, will=(w.state_of(w.pole), LOST, 1, True))
    registry, collector = (w.broker.connect(who)
                           for who in (w.registry, w.collector))
    collector.subscribe("loa/1/up/state/vn/08/#")
    for times in 1, 2:
        w.broker.process.send_signal(signal.SIGHUP)
        wait_until(lambda n=times: w.broker.log().count("Reloading") == n,
                   "reloaded")
        for c in lan, pole, registry, collector:
            c.drain()       # It answers.
            assert c.connected
        assert collector.messages.empty()
    # It opens once, for its owner alone; and who is revoked must go.
    assert w.broker.connect(w.lan, "lan", password=password,
                            check=False).code == DENIED
    w.revoke(registry, w.pole)
    assert pole.wait_closed() == CUT
    assert collector.wait_message(w.state_of(w.pole)).payload == LOST
    w.broker.process.send_signal(signal.SIGHUP)
    assert w.broker.connect(w.pole, check=False).code == DENIED


def test_nothing_is_delivered_after_the_list(w):
    """Not even before the connection is cut: the list and the message come in
    one write, so the broker handles them in one turn."""
    registry = w.broker.connect(w.registry)
    pole = w.broker.connect(w.pole)
    pole.subscribe("loa/1/down/+/vn/08")
    topic = "loa/1/down/trust/vn/08"
    for c in registry, pole:
        c.drain()
    w.number += 1
    cut = w.registry.trust_list(w.number, [w.pole])
    w.number += 1
    later = w.registry.trust_list(w.number, [w.pole])
    registry.publish(topic, cut, qos=0)
    registry.publish(topic, later, qos=0)
    pole.wait_closed()
    assert pole.messages.empty(), "the list itself is no longer for it"


def test_revoked_issuer_takes_all_below_with_it(w):
    registry = w.broker.connect(w.registry)
    below = [w.broker.connect(who) for who in (w.lan, w.pole, w.pole_2)]
    beside = w.broker.connect(w.scheduler)
    w.revoke(registry, w.district)
    for c in below:
        assert c.wait_closed() == CUT
    for who in w.lan, w.pole, w.pole_2:
        assert refused(w, who)
    assert beside.connected and registry.connected


def test_floor_revokes_a_generation(w):
    registry = w.broker.connect(w.registry)
    lan, pole = w.broker.connect(w.lan), w.broker.connect(w.pole)
    w.revoke(registry, floors=[(w.district, w.pole.body.serial)])
    assert lan.wait_closed() == CUT
    assert pole.connected
    # A list of its own, complete: who is not on it any more is back.
    w.revoke(registry)
    assert not refused(w, w.lan)


def test_many_are_cut(w):
    registry = w.broker.connect(w.registry)
    poles = [w.broker.connect(w.district.device(f"many_{i}", POLE_AREA))
             for i in range(150)]
    began = time.monotonic()
    w.revoke(registry, w.district)
    for c in poles:
        assert c.wait_closed() == CUT
    assert time.monotonic() - began < 5


def test_lists_that_are_not_believed_cut_nobody(w):
    registry, lan = w.broker.connect(w.registry), w.broker.connect(w.lan)
    stranger = new_root().authority("province_08", "vn/08")
    forged = stranger.service("reg_08", "registry", "vn/08", powers=ALL)
    for bad in (forged.trust_list(9, [w.lan]),
                w.scheduler.trust_list(9, [w.lan]),
                w.lan.trust_list(9, [w.lan])):
        assert registry.publish(TRUST, bad, retain=True) == DENIED
    w.revoke(registry)
    old = w.registry.trust_list(w.number, [w.lan])
    assert registry.publish(TRUST, old, retain=True) in (0, 0x10)
    lan.drain()
    assert lan.connected, "the same number again says nothing new"


def test_older_list_goes_out(w):
    """From a registry whose tables came from a backup: the newer list stays
    retained, also over a restart of the broker, so that the registry sees what
    it has forgotten."""
    old = [w.registry.trust_list(n, [w.pole]) for n in (1, 2)]
    newest = w.registry.trust_list(3, [w.pole, w.pole_2])
    registry = w.broker.connect(w.registry)
    for code, body in ((0x10, old[0]), (0x10, newest), (DENIED, old[1]),
                       (0x10, newest)):
        assert registry.publish(TRUST, body, retain=True) == code
    registry.subscribe(TRUST)
    assert registry.wait_message().payload == newest
    wait_until(lambda: os.path.exists(w.broker.state), "state file")
    registry.close()
    w.broker.stop()
    w.broker.start()
    assert "revocations=3" in w.broker.log()
    registry = w.broker.connect(w.registry)
    assert registry.publish(TRUST, old[1], retain=True) == DENIED
    registry.subscribe(TRUST)
    assert registry.wait_message().payload == newest


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_restart_forgets_no_revocation(w, how):
    w.revoke(w.broker.connect(w.registry), w.pole)
    wait_until(lambda: os.path.exists(w.broker.state), "state file")
    w.broker.stop(how)
    w.broker.start()
    assert f"revocations={w.number}" in w.broker.log()
    assert refused(w, w.pole)
    assert not refused(w, w.pole_2)
    assert not [f for f in os.listdir(w.broker.folder) if "part" in f]


def test_list_that_came_just_before_the_end_is_kept(w):
    registry = w.broker.connect(w.registry)
    for _ in range(20):
        w.revoke(registry, w.pole)
    w.broker.stop()
    w.broker.start()
    assert f"revocations={w.number}" in w.broker.log()


def test_disk_that_refuses_is_reported_and_tried_again(w):
    registry = w.broker.connect(w.registry)
    part = w.broker.state + ".part"
    os.mkdir(part)      # Nobody, not even root, opens a folder for writing.
    w.revoke(registry, w.pole)
    wait_until(lambda: "event=trust.state" in w.broker.log(), "report")
    assert refused(w, w.pole), "in force nevertheless"
    os.rmdir(part)
    wait_until(lambda: os.path.exists(w.broker.state), "second attempt")


def test_certificate_ends_while_connected(w):
    short = w.district.device("pole_3", POLE_AREA,
                              not_after_ms=now_ms() + 2000)
    pole = w.broker.connect(short)
    assert pole.publish(f"loa/1/up/health/{POLE_AREA}/@pole_3") == 0x10
    assert pole.wait_closed() == CUT
    assert now_ms() >= short.not_after_ms
    assert now_ms() < short.not_after_ms + 1500
    assert refused(w, short, "expired-certificate")
    assert "event=client.cut client=pole_3 why=expired" in w.broker.log()


def test_issuers_end_counts_too(w):
    brief = w.province.authority("brief", "vn/08/070",
                                 not_after_ms=now_ms() + 1500)
    assert w.broker.connect(
        brief.staff("hoa", "vn/08/070")).wait_closed() == CUT
