"""Who gets into a real broker, and with which MQTT 5 code others are sent
away. 0x87 is "not authorized"."""
import os
import signal
import socket
import subprocess
import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from loa_broker import Broker, wait_until
from loa_identity import (ALL, COMMAND, DRILL, base64url, new_enrolling,
                          new_root, now_ms, pb)

DENIED = 0x87
YEAR_MS = 365 * 86400 * 1000


class World:
    def __init__(self):
        self.root = new_root()
        self.province = self.root.authority("province_08", "vn/08")
        p = self.province
        self.lan = p.staff("lan", "vn/08/070", powers=COMMAND)
        self.minh = p.staff("minh", "vn/08/071", powers=COMMAND)
        self.pole = p.device("pole_1", "vn/08/070/02215")
        self.pole_2 = p.device("pole_2", "vn/08/070/02215")
        self.scheduler = p.service("sched_08", "scheduler", "vn/08")


@pytest.fixture(scope="module")
def w():
    world = World()
    with Broker(world.root) as world.broker:
        yield world


def code(w, who, **more):
    c = w.broker.connect(who, check=False, **more)
    got = c.code
    c.close()
    return got


def test_who_belongs_gets_in(w):
    for who in w.lan, w.minh, w.pole, w.scheduler:
        assert code(w, who) == 0
        assert code(w, who, protocol=mqtt.MQTTv311) == 0


def test_several_clients_of_one_person_but_not_of_one_device(w):
    a = w.broker.connect(w.lan, "lan-console")
    b = w.broker.connect(w.lan, "lan-loactl")
    assert a.connected and b.connected
    assert code(w, w.pole, client_id="pole_1-2") == DENIED


@pytest.mark.parametrize("user,password", [
    (None, None), ("lan", None), ("lan", ""), ("lan", "secret"),
    ("lan", "AAAA"), ("", "AAAA"), ("admin", "admin")])
def test_no_password_no_entry(w, user, password):
    """Straight CONNECT packets, for what a client library would not send."""
    assert raw_connect(w, "lan", user, password) == DENIED


def raw_connect(w, client_id, user, password, level=5, clean=True):
    def text(s):
        b = s.encode()
        return len(b).to_bytes(2, "big") + b

    flags = (2 if clean else 0) | (128 if user is not None else 0) \
        | (64 if password is not None else 0)
    body = text("MQTT") + bytes([level, flags, 0, 30]) \
        + (b"\0" if level == 5 else b"") + text(client_id)
    for part in user, password:
        if part is not None:
            body += text(part)
    length, n = b"", len(body)
    while True:
        length += bytes([n % 128 | (128 if n > 127 else 0)])
        n //= 128
        if not n:
            break
    with socket.create_connection(("127.0.0.1", w.broker.port), 5) as s:
        s.sendall(b"\x10" + length + body)
        answer = s.recv(64)
    assert answer[0] == 0x20
    return answer[3]


def test_anonymous_of_mqtt_311_gets_the_old_code(w):
    c = w.broker.connect(w.lan, check=False, protocol=mqtt.MQTTv311,
                         password="x")
    assert c.code == 5


def test_empty_client_id(w):
    """The broker makes one up, which nobody's login can name: whoever tries,
    with or without a key, is refused as for any other wrong client id."""
    for user, password in (("lan", w.lan.password(client_id="x")),
                           ("lan", w.lan.password(client_id="")),
                           ("pole_1", w.pole.password(client_id="")),
                           ("pole_1", w.pole.password()),
                           ("lan", ""), ("lan", None), (None, None),
                           ("no", w.province.staff("no", "vn/08").password(
                               client_id=""))):
        assert raw_connect(w, "", user, password) == DENIED, user
        if user is not None or password is None:
            assert raw_connect(w, "", user, password, level=4) == 5, user
    # MQTT 3.1.1 has an own word for an empty id and a session to be kept.
    assert raw_connect(w, "", "lan", w.lan.password(client_id=""), level=4,
                       clean=False) == 2
    wait_until(lambda: raw_connect(w, "", "lan", "AAAA") == DENIED
               and " client=no-id." in w.broker.log(), "the log says it")
    assert "event=login.accepted client=no-id" not in w.broker.log()


@pytest.mark.parametrize("client_id", [
    "lan-#", "lan-+", "lan-a/b", "lan/x", "lan-", "lan-a-b", "lan-a b",
    "lan-\u0111", "lanx", "LAN", "lan-" + "x" * 33, "pole_1", "#"])
def test_client_ids_that_are_not_the_principals(w, client_id):
    assert raw_connect(w, client_id, "lan",
                       w.lan.password(client_id=client_id)) == DENIED


@pytest.mark.parametrize("principal", ["a#b", "a+b", "a/b", "a b", "$SYS",
                                       "enrol_00", "x" * 33, "đài"])
def test_principals_with_foreign_letters(w, principal):
    evil = w.province.staff(principal, "vn/08/070")
    assert raw_connect(w, principal, principal,
                       evil.password(client_id=principal)) == DENIED


def test_login_means_this_broker_and_this_client(w):
    assert code(w, w.lan, password=w.lan.password(broker="hanoi")) == DENIED
    assert code(w, w.lan, client_id="lan-a",
                password=w.lan.password(client_id="lan-b")) == DENIED
    assert code(w, w.lan, password=w.minh.password(client_id="lan")) == DENIED
    assert code(w, w.lan, user="minh") == DENIED


def test_login_opens_once(w):
    password = w.lan.password()
    assert code(w, w.lan, password=password) == 0
    assert code(w, w.lan, password=password) == DENIED


def test_clock(w):
    for off_s, want in (-119, 0), (119, 0), (-125, DENIED), (125, DENIED):
        password = w.lan.password(issued_at_ms=now_ms() + off_s * 1000)
        assert code(w, w.lan, password=password) == want, off_s


def test_chains_that_do_not_hold(w):
    root, p = w.root, w.province
    now = now_ms()
    narrow = p.authority("district", "vn/08/070", powers=COMMAND)
    wrong = {
        "authority": p,
        "bridge": p.issue(pb.ROLE_BRIDGE, "bridge", "vn/08"),
        "role 0": p.issue(0, "nobody", "vn/08"),
        "another root": new_root().staff("lan", "vn/08/070"),
        "outside the issuer's area": p.staff("lan", "vn/09"),
        "more powers": narrow.staff("lan", "vn/08/070", powers=ALL),
        "issuer may not": narrow.staff("lan", "vn/08/070"),
        "ended": p.staff("lan", "vn/08/070", not_after_ms=now - 1),
        "not begun": p.staff("lan", "vn/08/070",
                             not_before_ms=now + 3600000),
        "longer than its issuer": p.staff("lan", "vn/08/070",
                                          not_after_ms=now + 9 * YEAR_MS),
        "drill": root.staff("lan", "vn/08/070", powers=DRILL),
        "area of enrolment": root.staff("lan", "enrol"),
        "version": p.staff("lan", "vn/08/070", version=2),
        "algorithm": p.staff("lan", "vn/08/070", algorithm=2),
    }
    for name, who in wrong.items():
        assert code(w, who) == DENIED, name
    long = root
    for i in range(6):
        long = long.authority(f"a{i}", "vn/08", max_depth=9 - i)
    assert code(w, long.staff("lan", "vn/08")) == DENIED, "seven links"
    spliced = p.staff("lan", "vn/08/070")
    spliced.certificates = spliced.certificates[:1]
    assert code(w, spliced) == DENIED, "a link is missing"


def test_nobody_takes_anothers_place(w):
    pole = w.broker.connect(w.pole)
    for who in w.pole_2, w.lan, w.minh, w.scheduler, new_enrolling():
        assert code(w, who, client_id="pole_1") == DENIED
        assert code(w, who, client_id="pole_1", user="pole_1") == DENIED
    for _ in range(1000):
        assert raw_connect(w, "pole_1", "pole_2",
                           w.pole_2.password(client_id="pole_1")) == DENIED
    # Nor does a captured login of its own from another day.
    old = w.pole.password(issued_at_ms=now_ms() - 86400000)
    assert code(w, w.pole, password=old) == DENIED
    assert pole.connected
    assert pole.publish("loa/1/up/health/vn/08/070/02215/@pole_1") == 0x10
    # The device itself comes again, as after a broken link.
    again = w.broker.connect(w.pole)
    pole.wait_closed()
    assert again.connected


def test_pushed_out_by_name(w):
    """An authority may give any name, but only in its own area: another
    province's pole_1, or a pole that is called like a service above it."""
    other = w.root.authority("province_66", "vn/66")
    registry = w.root.service("registry_vn", "registry", "vn")
    pole, high = w.broker.connect(w.pole), w.broker.connect(registry)
    for who in (other.device("pole_1", "vn/66/001"),
                other.device("registry_vn", "vn/66/001"),
                other.service("registry_vn", "registry", "vn/66")):
        assert code(w, who) == DENIED
    assert pole.publish("loa/1/up/health/vn/08/070/02215/@pole_1") == 0x10
    assert high.subscribe("loa/1/rpc/registry/enrol/#") == 1
    for c in pole, high:
        c.close()
    # Who is there first cannot keep the one above out.
    thief = w.broker.connect(other.device("registry_vn", "vn/66/001"))
    assert code(w, registry) == 0
    thief.wait_closed()


def test_device_without_a_clock_listens_and_asks_the_time(w):
    pole = w.broker.connect(w.pole_2, password=w.pole_2.password(
        issued_at_ms=1000))
    assert pole.subscribe("loa/1/down/+/vn/08") == 1
    assert pole.subscribe("loa/1/down/+/vn/08/070/02215/@pole_2") == 1
    assert pole.subscribe("loa/1/rpc/reply/vn/08/070/02215/@pole_2") == 1
    assert pole.publish("loa/1/rpc/scheduler/vn/08/070/02215/@pole_2",
                        b"?") == 0x10
    for topic in "up/state", "up/health", "up/want", "up/receipt":
        assert pole.publish(
            f"loa/1/{topic}/vn/08/070/02215/@pole_2") == DENIED
    sched = w.broker.connect(w.scheduler)
    sched.publish("loa/1/down/head/vn/08/070/02215/@pole_2", b"noon")
    assert pole.wait_message().payload == b"noon"
    # With the time it comes in properly, in place of itself.
    proper = w.broker.connect(w.pole_2)
    assert proper.publish("loa/1/up/health/vn/08/070/02215/@pole_2") == 0x10
    pole.wait_closed()


def test_enrolment_speaks_with_the_registry_alone(w):
    registry = w.broker.connect(w.province.service("reg_08", "registry",
                                                   "vn/08"))
    assert registry.subscribe("loa/1/rpc/registry/enrol/#") == 1
    new = new_enrolling()
    c = w.broker.connect(new)
    own = "enrol/@" + new.principal
    assert c.subscribe(f"loa/1/rpc/reply/{own}") == 1
    assert c.subscribe("loa/1/rpc/reply/enrol/#") == DENIED
    assert c.subscribe("loa/1/down/+/vn") == DENIED
    assert c.publish(f"loa/1/rpc/registry/{own}", b"me") == 0
    assert c.publish(f"loa/1/rpc/scheduler/{own}", b"me") == DENIED
    assert c.publish("loa/1/rpc/registry/enrol/@enrol_0", b"me") == DENIED
    assert c.publish(f"loa/1/rpc/registry/{own}", b"", retain=True) == DENIED
    assert registry.wait_message().payload == b"me"
    assert registry.publish(f"loa/1/rpc/reply/{own}", b"you") == 0
    assert c.wait_message().payload == b"you"
    # The name is the key's.
    other = new_enrolling()
    other.principal = new.principal
    assert code(w, other) == DENIED


def test_strangers_fill_the_broker():
    """Each leaves a session and a will behind that shall outlive it by 136
    years: the broker keeps them for an hour, and lets in few."""
    keep = Properties(PacketTypes.CONNECT)
    keep.SessionExpiryInterval = 0xFFFFFFFF
    late = Properties(PacketTypes.WILLMESSAGE)
    late.WillDelayInterval = 0xFFFFFFFF
    began, inside = time.monotonic(), 0
    with Broker(new_root()) as broker:
        with open(broker.conf, encoding="utf-8") as f:
            assert "\npersistent_client_expiration 1h\n" in f.read()
        for _ in range(150):
            c = broker.connect(new_enrolling(), check=False,
                               connect_properties=keep,
                               will=("loa/1/x", b"x" * 60000, 0, False, late))
            assert c.code in (0, DENIED)
            inside += c.code == 0
            c.kill()
        # As many as at once, and one more for each second that it took.
        assert inside <= 61 + time.monotonic() - began
        assert "why=left-behind" in broker.log()


@pytest.mark.parametrize("expiry,delay", [(3000, 0), (0, 3000)])
def test_sessions_of_one_person_fill_the_broker(expiry, delay):
    """Every made-up client id leaves a session, or a delayed will, behind."""
    root = new_root()
    lan = root.staff("lan", "vn")
    keep = Properties(PacketTypes.CONNECT)
    keep.SessionExpiryInterval = expiry
    late = Properties(PacketTypes.WILLMESSAGE)
    late.WillDelayInterval = delay
    with Broker(root) as broker:
        def ticked():
            """Two turns of the broker's loop are over."""
            other = broker.connect(lan)
            other.drain()
            other.close()

        for n in range(100):        # As loactl does it.
            broker.connect(lan, f"lan-a{n}").close()
        for n in range(32):
            c = broker.connect(lan, f"lan-b{n}", connect_properties=keep,
                               will=("loa/1/x", b"x" * 60000, 0, False, late)
                               if delay else None)
            c.kill()
        wait_until(lambda: ticked() or broker.connect(
            lan, "lan-c", check=False).code == DENIED, "no more")
        assert broker.connect(lan).code == 0


def test_log_says_why_and_not_too_often(w):
    before = w.broker.log().count("event=login.")
    end, attempts = time.monotonic() + 2.1, 0
    while time.monotonic() < end:
        raw_connect(w, "lan", "lan", "AAAA")
        attempts += 1
    lines = w.broker.log()
    assert 10 <= lines.count("event=login.") - before <= 40 < attempts
    assert "client=lan user=lan address=127.0.0.1 why=malformed" in lines
    wait_until(lambda: "event=log.dropped lines_n=" in w.broker.log(),
               "dropped lines are counted")
    assert w.lan.password()[:40] not in lines


def refusal(edit, root=None, files=()):
    """What the broker says when it does not start."""
    broker = Broker(root or new_root(), edit=edit)
    try:
        for name, data in files:
            with open(os.path.join(broker.folder, name), "wb") as f:
                f.write(data)
        run = subprocess.run(["mosquitto", "-c", broker.conf], timeout=10,
                             capture_output=True, text=True, check=False)
        assert run.returncode != 0
        lines = [line for line in run.stderr.splitlines()
                 if "loa-auth:" in line]
        assert len(lines) == 1, run.stderr
        return lines[0]
    finally:
        broker.__exit__()


@pytest.mark.parametrize("old,new,text", [
    ("plugin_opt_root_file ", "plugin_opt_broker ", "not 1..32"),
    ("plugin_opt_root_file ", "plugin_opt_root_file /nowhere",
     "cannot read the root key"),
    ("plugin_opt_root_file ", "plugin_opt_root AAAA\n#", "base64url of 32"),
    ("plugin_opt_root_file ", "#", "is missing"),
    ("plugin_opt_broker ", "plugin_opt_brokre ", "no option"),
    ("plugin_opt_broker loa", "plugin_opt_login_window_s -3", "1..3600"),
    ("plugin_opt_broker loa", "plugin_opt_root AQEBAQEBAQEBAQEBAQEBAQEBAQEBA"
     "QEBAQEBAQEBAQE", "exclude each other"),
    ("plugin_opt_state ", "plugin_opt_state /proc/self\n#", "cannot read"),
    ("plugin_opt_state ", "plugin_opt_state /nowhere/trust\n#",
     "cannot write /nowhere/trust.part: No such file"),
])
def test_bad_options_stop_the_broker_with_one_line(old, new, text):
    assert text in refusal(lambda conf: conf.replace(old, new))


def test_state_of_another_root_stops_the_broker():
    root, other = new_root(), new_root()
    listed = other.service("r", "registry", "vn", powers=ALL & ~DRILL)
    text = refusal(None, root, [("trust.state", listed.trust_list(1))])
    assert "move it away" in text
    text = refusal(None, root, [("trust.state", b"")])
    assert "malformed" in text
    text = refusal(None, root, [("trust.state", b"x" * 70000)])
    assert "malformed" in text


def test_per_listener_settings_lets_nobody_in():
    """This broker then never calls TICK: nobody could ever be cut off."""
    root = new_root()
    # There the plugin belongs to the listener.
    def edit(conf):
        lines = conf.replace("per_listener_settings false",
                             "per_listener_settings true").splitlines()
        plugin = [x for x in lines if x.startswith("plugin")]
        rest = [x for x in lines if x not in plugin
                and not x.startswith("allow_")]
        return "\n".join(rest + plugin) + "\n"
    with Broker(root, edit=edit) as broker:
        c = broker.connect(root.authority("p", "vn").staff("lan", "vn"),
                           check=False)
        assert c.code == DENIED
        assert "why=per_listener_settings" in broker.log()
        broker.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "Reloading" in broker.log(), "reloaded")
        assert broker.connect(root.staff("lan", "vn"),
                              check=False).code == DENIED


def test_nothing_but_the_one_listener(w):
    opened = [line for line in w.broker.log().splitlines()
              if "Opening" in line]
    assert len(opened) == 1 and str(w.broker.port) in opened[0]


def test_root_key_as_an_option():
    root = new_root()
    with Broker(root, edit=lambda conf: conf.replace(
            "plugin_opt_root_file", f"plugin_opt_root {base64url(root.key)}"
            "\n#")) as broker:
        broker.connect(root.staff("lan", "vn"))
