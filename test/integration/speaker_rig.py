"""A loudspeaker, a broker that lets everybody do everything, and all the keys.

The broker is the attacker's: whatever a test publishes reaches the device, so
what keeps it silent is its own verification. Contents are encoded by libopus
(ctypes), everything signed is made by loa_identity.py.

    with Rig() as rig:
        pole = rig.speaker("pole_1", "vn/08/070/02215")
        content = rig.content(tone(2.0))
        bulletin = rig.bulletin(content, rig.soon(4))
        rig.publish_programme("vn/08/070/02215", [bulletin])
        rig.push(content, "vn/08/070/02215")
        pole.wait_receipt("FINISHED")
        pole.samples()                # what its WAV holds
"""
import ctypes
import ctypes.util
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import wave

import numpy as np
import paho.mqtt.client as mqtt

import loa_identity as li
from loa_identity import content as cpb, device as dpb, pb, programme as ppb
from loa_broker import LIMIT_S, free_port, listens, wait_until

RATE = 48000
FRAME = 960
BUILD = os.path.join(li.ROOT_DIR, os.environ.get("LOA_BUILD", "build/plain"))
SPEAKER = os.path.join(BUILD, "loa-speaker")
AREA = "vn/08/070/02215"
OTHER_AREA = "vn/08/070/02218"
NORMAL, PRIORITY = 1, 2


# --- sound ----------------------------------------------------------------------

def speechlike(seconds, seed=1):
    """Noise with a wandering pitch and syllables: it correlates with nothing
    but itself, and Opus keeps its shape."""
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE)
    t = np.arange(n) / RATE
    pitch = 140 + 60 * np.interp(t, np.arange(0, seconds + 1, 0.25),
                                 rng.random(int(seconds * 4) + 5)[
                                     :len(np.arange(0, seconds + 1, 0.25))])
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    x = sum(np.sin(k * phase + rng.random()) / k for k in range(1, 12))
    syllables = 0.35 + 0.65 * np.interp(
        t, np.arange(0, seconds + 1, 0.12),
        rng.random(int(seconds / 0.12) + 12)[
            :len(np.arange(0, seconds + 1, 0.12))])
    x = x * syllables
    return (x / np.abs(x).max() * 12000).astype(np.int16)


class Encoder:
    def __init__(self, bitrate=24000):
        self.lib = ctypes.CDLL(ctypes.util.find_library("opus"))
        self.lib.opus_encoder_create.restype = ctypes.c_void_p
        error = ctypes.c_int()
        self.enc = ctypes.c_void_p(self.lib.opus_encoder_create(
            RATE, 1, 2049, ctypes.byref(error)))
        assert error.value == 0
        self.lib.opus_encoder_ctl(self.enc, 4002, ctypes.c_int(bitrate))
        ahead = ctypes.c_int()
        self.lib.opus_encoder_ctl(self.enc, 4027, ctypes.byref(ahead))
        self.pre_skip = ahead.value

    def encode(self, pcm):
        pcm = np.concatenate([pcm, np.zeros(self.pre_skip, np.int16)])
        pcm = np.concatenate([pcm, np.zeros(-len(pcm) % FRAME, np.int16)])
        out = ctypes.create_string_buffer(400)
        frames = []
        for i in range(0, len(pcm), FRAME):
            block = pcm[i:i + FRAME].astype(np.int16)
            n = self.lib.opus_encode(
                self.enc, block.ctypes.data_as(ctypes.c_void_p), FRAME, out,
                400)
            assert n > 0
            frames.append(out.raw[:n])
        return frames


class Content:
    """Frames, the stream key, the manifest."""

    def __init__(self, pcm, title="Bản tin"):
        encoder = Encoder()
        self.pcm = pcm
        self.stream = li.Identity()
        self.frames = encoder.encode(pcm)
        self.hash = li.blake2b(b"loa/1/content" + b"".join(
            len(f).to_bytes(2, "big") + f for f in self.frames))
        self.packets_n = (len(self.frames) + 9) // 10
        self.duration_ms = len(pcm) * 1000 // RATE
        self.manifest = cpb.ContentManifest(
            content_hash=self.hash, media=cpb.MEDIA_AUDIO, title=title,
            language="vi", stream_key=self.stream.key,
            packets_n=self.packets_n, frames_n=len(self.frames),
            duration_ms=self.duration_ms, pre_skip=encoder.pre_skip,
            bytes=sum(map(len, self.frames)))

    def packet(self, i, key=None, frames=None):
        body = cpb.AudioPacketBody(
            stream_key=self.stream.key, sequence=i,
            frames=frames or self.frames[10 * i:10 * i + 10]
        ).SerializeToString()
        return cpb.AudioPacket(signed=body, signature=(
            key or self.stream).sign("packet", body)).SerializeToString()


def tone(seconds, hz=440):
    t = np.arange(int(seconds * RATE)) / RATE
    return (8000 * np.sin(2 * np.pi * hz * t)).astype(np.int16)


def correlate(heard, source, at):
    """Normalised cross-correlation of source with heard[at:], best within
    5 ms; (value, shift in samples)."""
    best = (-1.0, 0)
    for shift in range(-240, 241):
        i = at + shift
        if i < 0 or i + len(source) > len(heard):
            continue
        a, b = heard[i:i + len(source)].astype(float), source.astype(float)
        d = np.sqrt((a * a).sum() * (b * b).sum())
        c = (a * b).sum() / d if d > 0 else 0.0
        best = max(best, (c, shift))
    return best


# --- the device -------------------------------------------------------------------

class Speaker:
    def __init__(self, rig, device, area, options=(), identity=None,
                 start=True):
        self.rig, self.device, self.area = rig, device, area
        self.folder = os.path.join(rig.folder, device)
        os.makedirs(self.folder, exist_ok=True)
        self.data = os.path.join(self.folder, "data")
        os.makedirs(self.data, mode=0o700, exist_ok=True)
        self.wav = os.path.join(self.folder, "out.wav")
        self.log_path = os.path.join(self.folder, "log")
        self.options = list(options)
        self.identity = identity or rig.province.device(device, area)
        self.identity.save(os.path.join(self.data, "identity"))
        self.process = None
        if start:
            self.start()

    def argv(self):
        return [SPEAKER, "--mqtt-port", str(self.rig.port), "--data-dir",
                self.data, "--output", "wav:" + self.wav, "--log-level",
                "debug"] + self.options

    def start(self, env=None):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.argv(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(env or {})})
        return self

    def stop(self, how=signal.SIGTERM, limit_s=LIMIT_S):
        if self.process is None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(limit_s)
        self.process = None
        return code

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, text, limit_s=LIMIT_S):
        wait_until(lambda: text in self.log(), f"{self.device}: {text}",
                   limit_s)

    def online(self):
        state = self.rig.states.get(self.device)
        return state is not None and state.presence == dpb.PRESENCE_ONLINE

    def wait_online(self, limit_s=LIMIT_S):
        wait_until(self.online, self.device + " online", limit_s)
        return self

    def receipts(self, event=None, bulletin=None):
        return [r for r in self.rig.receipts.get(self.device, [])
                if (event is None
                    or r.event == dpb.ReceiptEvent.Value(
                        "RECEIPT_EVENT_" + event))
                and (bulletin is None or r.bulletin_id == bulletin)]

    def wait_receipt(self, event, bulletin=None, limit_s=LIMIT_S, count=1):
        wait_until(lambda: len(self.receipts(event, bulletin)) >= count,
                   f"{self.device}: receipt {event}; has "
                   + self.receipts_text(), limit_s)
        return self.receipts(event, bulletin)[-1]

    def receipts_text(self):
        return "; ".join(
            dpb.ReceiptEvent.Name(r.event)[14:] + " " + r.reason
            for r in self.receipts())

    def samples(self, path=None):
        if path is None and not os.path.exists(self.wav):
            raise AssertionError(self._no_wav())
        with wave.open(path or self.wav, "rb") as w:
            assert (w.getframerate(), w.getnchannels(),
                    w.getsampwidth()) == (RATE, 1, 2)
            return np.frombuffer(w.readframes(w.getnframes()), np.int16)

    def _no_wav(self):
        """Nobody but the program makes and renames it: say who it was."""
        if not os.path.isdir(self.folder):
            return f"{self.folder} was removed by somebody else"
        said = [x for x in self.log().splitlines() if "event=sound." in x]
        return (f"{self.device} has no {self.wav}; there are "
                f"{sorted(os.listdir(self.folder))}; it said {said}")

    def opened_us(self):
        with open(self.wav + ".start_us", encoding="ascii") as f:
            return int(f.read())

    def index(self, at_ms):
        """The sample of the WAV that belongs to this wall time."""
        return int((at_ms * 1000 - self.opened_us()) * RATE // 1000000)

    def wait_written(self, at_ms, limit_s=LIMIT_S):
        """Until the WAV has reached that wall time."""
        wait_until(lambda: os.path.exists(self.wav + ".start_us") and
                   os.path.getsize(self.wav) >= 44 + 2 * self.index(at_ms),
                   f"{self.device}: its WAV at {at_ms}", limit_s)

    def silent(self):
        return not self.samples().any()


# --- broker, keys, what the services would do ---------------------------------------

class Rig:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="loa-speaker-")
        self.port = free_port()
        self.broker = None
        self.speakers = []
        self.states, self.receipts, self.wants = {}, {}, []
        self.healths = {}
        self.acking = True
        self.client = None
        root = self.root = li.new_root()
        self.province = root.authority("province_08", "vn/08")
        self.approver = self.province.staff(
            "mai", "vn/08", powers=li.CONTENT_APPROVE)
        self.scheduler = self.province.service(
            "scheduler_08", "scheduler", "vn/08",
            powers=li.SCHEDULE | li.TIME)
        self.registry = self.province.service(
            "registry_08", "registry", "vn/08",
            powers=li.DELEGATE | li.REVOKE)
        self.collector = self.province.service(
            "collector_08", "telemetry-collector", "vn/08")
        self.commander = self.province.staff(
            "lan", "vn/08/070", powers=li.COMMAND)
        self.versions = {}
        self.counter = 0

    # --- life

    def __enter__(self):
        self.start_broker()
        self.connect()
        return self

    def __exit__(self, *_):
        for s in self.speakers:
            if s.process is not None:
                s.process.kill()
                s.process.wait()
        if self.client is not None:
            self.client.loop_stop()
            self.client.disconnect()
        self.stop_broker(signal.SIGKILL)
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def start_broker(self):
        conf = os.path.join(self.folder, "mosquitto.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n"
                    "persistence false\nallow_duplicate_messages true\n"
                    "max_queued_messages 10000\n")
        with open(os.path.join(self.folder, "mosquitto.log"), "ab") as log:
            self.broker = subprocess.Popen(["mosquitto", "-c", conf],
                                           stdout=log, stderr=log)
        wait_until(self._answers, "broker listens")

    def _answers(self):
        assert self.broker.poll() is None, "broker ended"
        return listens(self.port)

    def stop_broker(self, how=signal.SIGTERM):
        if self.broker is not None:
            self.broker.send_signal(how)
            self.broker.wait(LIMIT_S)
            self.broker = None

    def connect(self):
        c = mqtt.Client(client_id="rig", protocol=mqtt.MQTTv5)
        c.on_message = self._on_message
        c.on_connect = lambda *_: c.subscribe("loa/1/up/#", 1)
        c.max_queued_messages_set(0)
        c.max_inflight_messages_set(1000)
        c.connect("127.0.0.1", self.port)
        c.loop_start()
        wait_until(c.is_connected, "rig connected")
        self.client = c

    def speaker(self, device="pole_1", area=AREA, **more):
        s = Speaker(self, device, area, **more)
        self.speakers.append(s)
        return s

    # --- what comes up

    def _on_message(self, _client, _data, msg):
        parts = msg.topic.split("/")
        kind, device = parts[3], parts[-1][1:]
        if kind == "state":
            self.states[device] = dpb.State.FromString(msg.payload)
        elif kind == "health":
            self.healths[device] = dpb.Health.FromString(msg.payload)
        elif kind == "want":
            self.wants.append((device, dpb_want(msg.payload)))
        elif kind == "receipt":
            self._on_receipts(device, "/".join(parts[4:-1]), msg.payload)

    def _on_receipts(self, device, area, payload):
        signed, e = li.open_envelope(payload)
        assert signed.type == pb.TYPE_RECEIPTS and signed.area == area
        assert len(e.certificates) >= 1
        batch = dpb.ReceiptBatch.FromString(signed.body)
        have = self.receipts.setdefault(device, [])
        known = {(r.log_id, r.sequence) for r in have}
        for r in batch.receipts:
            row = _Receipt(batch.log_id, r)
            if (row.log_id, row.sequence) not in known:
                have.append(row)
        if self.acking:
            self.ack(device, area, batch.log_id, batch.receipts[-1].sequence)

    def ack(self, device, area, log_id, sequence, signer=None):
        self.publish("ack", f"{area}/@{device}",
                     (signer or self.collector).envelope(
                         pb.TYPE_ACK, dpb.Ack(log_id=log_id,
                                              committed_sequence=sequence),
                         area=area))

    # --- what goes down

    def publish(self, kind, where, payload, retain=False, qos=1):
        info = self.client.publish(f"loa/1/down/{kind}/{where}", payload,
                                   qos, retain)
        return info

    def now_ms(self):
        return li.now_ms()

    def soon(self, seconds):
        return li.now_ms() + int(seconds * 1000)

    def content(self, pcm, **more):
        return Content(pcm, **more)

    def approval(self, content, area="vn/08", who=None, **more):
        more.setdefault("ttl_ms", li.DAY_MS)
        return (who or self.approver).envelope(
            pb.TYPE_APPROVAL, content.manifest, area=area,
            certificates=False, **more)

    def bulletin(self, content, *starts, bulletin_id=None, cls=NORMAL,
                 approval=None, approver=None, title="Bản tin sáng"):
        b = _Bulletin()
        b.content = content
        b.approval = (self.approval(content, who=approver)
                      if approval is None else approval)
        b.approver = approver or self.approver
        b.id = bulletin_id or os.urandom(16)
        b.message = ppb.Bulletin(
            bulletin_id=b.id, content_hash=content.hash,
            starts_at_ms=list(starts), duration_ms=content.duration_ms,
            title=title)
        setattr(b.message, "class", cls)
        return b

    def programme(self, area, bulletins, version=None, signer=None,
                  ttl_ms=7 * li.DAY_MS, **more):
        if version is None:
            version = max(self.versions.get(area, 0) + 1, li.now_ms())
        self.versions[area] = version
        p = ppb.Programme(version=version)
        for b in bulletins:
            p.bulletins.append(b.message)
            if b.approval and b.approval not in p.approvals:
                p.approvals.append(b.approval)
            for c in b.approver.certificates:
                if c not in p.certificates:
                    p.certificates.append(c)
        return (signer or self.scheduler).envelope(
            pb.TYPE_PROGRAMME, p, area=area, ttl_ms=ttl_ms, **more)

    def publish_programme(self, area, bulletins, **more):
        envelope = self.programme(area, bulletins, **more)
        self.publish("programme", area, envelope, retain=True)
        return envelope

    def publish_head(self, area, version=0, time_ms=None, revocations=0,
                     **more):
        self.publish("head", area, self.scheduler.envelope(
            pb.TYPE_HEAD, ppb.Head(
                time_ms=time_ms or li.now_ms(), programme_version=version,
                revocation_number=revocations),
            area=area, ttl_ms=900000, **more), retain=True)

    def publish_trust(self, number, **more):
        self.publish("trust", "vn/08", self.registry.trust_list(
            number, area="vn/08", **more), retain=True)

    def push(self, content, area, skip=()):
        for i in range(content.packets_n):
            if i not in skip:
                self.publish("content", area, content.packet(i), qos=0)

    def answer_wants(self, content, area):
        """What content-ingest does, in a thread until stopped."""
        stop = threading.Event()

        def run():
            done = 0
            while not stop.is_set():
                while done < len(self.wants):
                    for s in self.wants[done][1].streams:
                        if s.stream_key == content.stream.key:
                            for i in range(0, len(s.ranges), 2):
                                for k in range(s.ranges[i + 1]):
                                    self.publish("content", area,
                                                 content.packet(
                                                     s.ranges[i] + k), qos=0)
                    done += 1
                time.sleep(0.02)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def end():
            stop.set()
            thread.join()
        return end

    def command(self, area, device="", stop=None, volume=None, signer=None,
                **more):
        c = dpb.Command(device=device)
        if stop is not None:
            c.stop.bulletin_id = stop
            c.stop.SetInParent()
        if volume is not None:
            c.set_volume.percent = volume
        self.counter = max(self.counter + 1, time.time_ns() // 1000)
        envelope = (signer or self.commander).envelope(
            pb.TYPE_COMMAND, c, area=area, counter=self.counter,
            ttl_ms=60000, **more)
        self.publish("command", area, envelope)
        return envelope


class _Bulletin:
    pass


class _Receipt:
    def __init__(self, log_id, r):
        self.log_id = log_id
        for f in ("sequence", "bulletin_id", "start_at_ms", "event", "at_us",
                  "reason", "first_sample_us", "played_ms", "concealed_ms",
                  "content_hash"):
            setattr(self, f, getattr(r, f))


def dpb_want(payload):
    return cpb.Want.FromString(payload)
