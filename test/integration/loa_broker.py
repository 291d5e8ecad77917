"""A real Mosquitto with the plugin for tests, from deploy/mosquitto.conf.in.

    with Broker(root) as broker:            # private folder, free port
        c = broker.connect(lan)             # a Client, connected, MQTT 5
        c.subscribe("loa/1/up/state/vn/08/#")   # -> reason code
        c.publish("loa/1/...", b"", qos=1)      # -> reason code
        c.wait_message(topic=...)               # -> message
"""
import ctypes
import os
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from loa_identity import ROOT_DIR, base64url

BUILD = os.path.join(ROOT_DIR, os.environ.get("LOA_BUILD", "build/plain"))
PLUGIN = os.path.join(BUILD, "loa-auth.so")
TEMPLATE = os.path.join(ROOT_DIR, "deploy", "mosquitto.conf.in")
LIMIT_S = 60  # Only what fails takes so long: busy machines are slow.
# By so much everything is waited for longer: a sanitizer makes programs slow.
PATIENCE = int(os.environ.get("LOA_PATIENCE", "1"))


def _die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def wait_until(condition, what, limit_s=LIMIT_S):
    limit_s *= PATIENCE
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {limit_s} s")


def configuration(values, extra=""):
    """The template with its @NAMES@ replaced; `extra` goes before the
    listener, where global settings belong."""
    with open(TEMPLATE, encoding="utf-8") as f:
        lines = f.read().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    assert "@" not in text, text
    return text.replace("\nlistener ", f"\n{extra}\nlistener ", 1) + "\n"


class Broker:
    """root: an Identity (its key is pinned) or None for no root file."""

    def __init__(self, root, name="loa", folder=None, extra="", edit=None):
        self.folder = folder or tempfile.mkdtemp(prefix="loa-broker-")
        self.own_folder = folder is None
        self.name, self.port = name, free_port()
        self.root_file = os.path.join(self.folder, "root.key")
        self.state = os.path.join(self.folder, "trust.state")
        self.log_path = os.path.join(self.folder, "mosquitto.log")
        self.conf = os.path.join(self.folder, "mosquitto.conf")
        self.process = None
        self.clients = []
        with open(self.root_file, "w", encoding="utf-8") as f:
            f.write(base64url(root.root) + "\n")
        text = configuration(
            {"PORT": self.port, "USER": "root", "PLUGIN": PLUGIN,
             "BROKER": name, "ROOT_FILE": self.root_file,
             "STATE": self.state}, extra)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(edit(text) if edit else text)

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["mosquitto", "-c", self.conf], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=_die_with_parent)
        wait_until(self._answers, "broker listens")
        return self

    def _answers(self):
        assert self.process.poll() is None, "broker ended:\n" + self.log()
        return listens(self.port)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self, how=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(LIMIT_S)
            self.process = None

    def connect(self, who, client_id=None, check=True, **more):
        """A connected Client; with check=False its .code may be a refusal."""
        c = Client(self, who, client_id, **more)
        self.clients.append(c)
        c.open()
        if check:
            assert c.code == 0, f"CONNACK {c.code}\n{self.log()}"
        return c

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        try:
            for c in self.clients:
                c.close()
        finally:
            self.stop()
            if self.own_folder:
                shutil.rmtree(self.folder, ignore_errors=True)


class Client:
    """paho with waiting: every call returns the reason code it got."""

    def __init__(self, broker, who, client_id=None, user=None, password=None,
                 protocol=mqtt.MQTTv5, will=None, keepalive=30,
                 clean_start=True, connect_properties=None):
        """will: (topic, payload, qos, retain[, properties])."""
        self.broker, self.keepalive = broker, keepalive
        self._connect_more = {} if protocol != mqtt.MQTTv5 else {
            "clean_start": clean_start, "properties": connect_properties}
        self.client_id = who.principal if client_id is None else client_id
        self.code = None            # of the CONNACK
        self.closed_code = None     # of the DISCONNECT that the broker sent
        self.connected = False
        self.messages = queue.Queue()
        self._acks, self._subacks = {}, {}
        self._thread, self._stop = None, False
        kwargs = {} if protocol == mqtt.MQTTv5 else {"clean_session": True}
        self.mqtt = mqtt.Client(self.client_id, protocol=protocol, **kwargs)
        self.v5 = protocol == mqtt.MQTTv5
        self.mqtt.username_pw_set(
            who.principal if user is None else user,
            who.password(broker.name, self.client_id or "x")
            if password is None else password)
        if will is not None:
            self.mqtt.will_set(*will)
        self.mqtt.on_connect = self._on_connect
        self.mqtt.on_disconnect = self._on_disconnect
        self.mqtt.on_message = lambda c, u, m: self.messages.put(m)
        self.mqtt.on_subscribe = self._on_subscribe
        self._handle_disconnect = self.mqtt._handle_disconnect
        self.mqtt._handle_disconnect = self._on_disconnect_packet
        self._handle_puback = self.mqtt._handle_pubackcomp
        self.mqtt._handle_pubackcomp = self._on_puback

    def _on_connect(self, _c, _u, _flags, code, _properties=None):
        self.code = getattr(code, "value", code)
        self.connected = self.code == 0

    def _on_disconnect(self, _c, _u, code, _properties=None):
        self.connected = False
        if self.closed_code is None:    # paho says "lost" afterwards
            self.closed_code = getattr(code, "value", code)

    def _on_disconnect_packet(self):
        # paho 1.6 overlooks the reason unless properties follow.
        packet = bytes(self.mqtt._in_packet["packet"])
        self.closed_code = packet[0] if packet else 0
        return self._handle_disconnect()

    def _on_subscribe(self, _c, _u, mid, codes, _properties=None):
        self._subacks[mid] = [getattr(c, "value", c) for c in codes]

    def _on_puback(self, cmd):
        # paho 1.6 does not show the reason of a PUBACK, byte 3, and does not
        # survive those that it does not know.
        packet = bytes(self.mqtt._in_packet["packet"])
        mid = int.from_bytes(packet[:2], "big")
        self._acks[mid] = packet[2] if len(packet) > 2 else 0
        self.mqtt._in_packet["packet"] = bytearray(packet[:2])
        self.mqtt._in_packet["remaining_length"] = 2
        return self._handle_puback(cmd)

    def open(self):
        try:
            self.mqtt.connect("127.0.0.1", self.broker.port, self.keepalive,
                              **self._connect_more)
        except ConnectionError:
            pass
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        wait_until(lambda: self.code is not None
                   or not self._thread.is_alive(), "CONNACK")

    def _run(self):
        # Not paho's loop_start(): it would connect again by itself, with a
        # password that is used up.
        while not self._stop and self.mqtt.loop(0.05) == 0:
            pass
        self.connected = False

    def _end(self):
        self._stop = True
        if self._thread is not None:
            self._thread.join()

    def subscribe(self, topic, qos=1):
        """The code of the SUBACK: 0, 1 granted; 0x87 not authorized."""
        if self.v5:
            _, mid = self.mqtt.subscribe(topic,
                                         options=SubscribeOptions(qos=qos))
        else:
            _, mid = self.mqtt.subscribe(topic, qos)
        return wait_until(lambda: self._subacks.get(mid), "SUBACK")[0]

    def publish(self, topic, payload=b"", qos=1, retain=False, **properties):
        """The code of the PUBACK: 0, 0x10 nobody listens, 0x87, 0x95."""
        p = None
        if properties:
            p = Properties(PacketTypes.PUBLISH)
            for name, value in properties.items():
                setattr(p, name, value)
        info = self.mqtt.publish(topic, payload, qos, retain, p)
        if qos == 0:
            return None
        wait_until(lambda: info.mid in self._acks
                   or not self._thread.is_alive(), "PUBACK")
        return self._acks.get(info.mid)

    def wait_message(self, topic=None, limit_s=LIMIT_S):
        end = time.monotonic() + limit_s * PATIENCE
        while True:
            m = self.messages.get(timeout=max(0.001, end - time.monotonic()))
            if topic is None or m.topic == topic:
                return m

    def drain(self):
        """Everything that came until a round trip to the broker is done."""
        self.subscribe("loa/1/down/none/none")
        got = []
        while not self.messages.empty():
            got.append(self.messages.get())
        return got

    def wait_closed(self, limit_s=LIMIT_S):
        """The code of the broker's DISCONNECT; None: it just closed."""
        wait_until(lambda: not self._thread.is_alive(), "disconnect", limit_s)
        return self.closed_code

    def kill(self):
        """End the TCP connection without a DISCONNECT: the will fires."""
        self._end()
        sock, self.mqtt._sock = self.mqtt.socket(), None
        if sock is not None:
            sock.close()

    def close(self):
        self._end()
        if self.mqtt.socket() is not None:
            self.mqtt.disconnect()
            self.mqtt.loop(0.05)
        # Else they stay until the garbage is collected, and select() knows no
        # descriptor beyond 1023.
        self.mqtt._reset_sockets()
