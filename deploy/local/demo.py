#!/usr/bin/env python3
"""The main job, once: a recording and a text, from hand-in to proof of play.

    deploy/local/demo.py [--stay] [--audio FILE] [--text TEXT] [--var DIR]
                         [--port N] [--build DIR]

Starts the embedded default (stack.py), lets one person hand in and schedule,
another approve, waits for the loudspeakers and measures what they played.
Leaves VAR/report.json. Exit 0 when everything was heard where it should be,
and nowhere else; else 1.
"""
import argparse
import glob
import json
import os
import re
import signal
import sys
import threading
import time
import wave

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import wavcheck  # noqa: E402
from stack import (SERVICES, STAFF, Stack, Trouble, english,  # noqa: E402
                   enrolled, say)

TEXT = ("Kính thưa bà con. Ngày mai, từ bảy giờ sáng, trạm y tế xã tổ chức "
        "tiêm phòng miễn phí cho trẻ em. Kính mời bà con đưa các cháu đến "
        "đúng giờ.")
SPEAKERS_EACH = 3
LEAD_S = 8         # From scheduling to the first sound.
PAUSE_S = 1.5      # Between the two bulletins.
OVERDUE_S = 15     # After its end a bulletin is waited for no longer.
CORRELATION_MIN = 0.9
GAP_MS_MAX = 20
LATE_MS_MAX = 200  # A busy machine may be this late; see make bench.


class Demo(Stack):
    def tell_end(self, process):
        name, code = process.name, process.popen.returncode
        say(f"• {name} đã dừng ({code}) và được khởi động lại",
            f"• {name} ended ({code}) and is started again")


def recording(stack):
    """A real voice: the sound-card test words of alsa-utils, one after
    another."""
    out = stack.path("recording.wav")
    parts = sorted(glob.glob("/usr/share/sounds/alsa/*_*.wav"))
    if not parts:
        raise Trouble("no recording found: give one with AUDIO=FILE, or run "
                      "`make deps`")
    with wave.open(out, "wb") as w:
        for i, path in enumerate(parts):
            with wave.open(path, "rb") as r:
                if i == 0:
                    w.setparams(r.getparams())
                w.writeframes(r.readframes(r.getnframes()))
    return out


class Bulletin:
    """One thing that is said, and when each step of it ended."""

    def __init__(self, kind, area):
        self.kind, self.area = kind, area
        self.id = self.content = self.start_ms = None
        self.duration_ms = 0
        self.steps = dict.fromkeys(("ingested", "approved", "scheduled",
                                    "distributed", "started", "confirmed"))
        self.receipts = []

    def step(self, name, since):
        self.steps[name] = round((time.monotonic() - since) * 1000, 1)

    def hand_in(self, stack, *args):
        since = time.monotonic()
        self.content = stack.loactl("lan", "content", *args, timeout=120)
        self.duration_ms = self.content["duration_ms"]
        self.step("ingested", since)

    def approve(self, stack):
        since = time.monotonic()
        stack.loactl("minh", "content", "approve", self.content["content"])
        self.step("approved", since)

    def schedule(self, stack, at_ms):
        since = self.since = time.monotonic()
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ms // 1000))
        done = stack.loactl("lan", "schedule", "add", self.content["content"],
                            self.area, "--at", f"{at}.{at_ms % 1000:03d}Z",
                            "--yes", check=False)
        answer = json.loads(done.stdout) if done.stdout.strip() else {}
        if done.returncode == 1 and answer.get("proposed_start_at_ms"):
            # Something of an earlier run is on air then: take the free time.
            self.schedule(stack, answer["proposed_start_at_ms"])
            return
        if done.returncode != 0:
            raise Trouble(done.stderr.strip())
        entry = answer["entries"][0]
        self.id, self.start_ms = entry["bulletin"], entry["starts_at_ms"][0]
        self.step("scheduled", since)

    def look(self, stack):
        self.receipts = stack.loactl("lan", "report", self.id)

    def devices_with(self, event):
        return {r["device"] for r in self.receipts if r["event"] == event}

    def over(self):
        return self.start_ms / 1000 + self.duration_ms / 1000

    def follow(self, stack, wanted):
        """Look once; True when every addressed loudspeaker has confirmed, or
        it is overdue."""
        if self.steps["confirmed"] is not None:
            return True
        self.look(stack)
        if self.steps["distributed"] is None and \
                self.devices_with("verified") >= wanted:
            self.step("distributed", self.since)
        if self.devices_with("finished") >= wanted:
            self.steps["confirmed"] = round(
                max(time.time() - self.over(), 0) * 1000, 1)
            late = [r["first_sample_us"] / 1000 - self.start_ms
                    for r in self.receipts if r["event"] == "started"]
            self.steps["started"] = round(max(late, key=abs), 3)
            return True
        return time.time() > self.over() + OVERDUE_S


def read_wav(path):
    """The samples so far; the file may still grow."""
    with open(path, "rb") as f:
        head = f.read(44)
        data = f.read()
    if head[:4] != b"RIFF":
        raise Trouble(f"{path}: not a WAV file")
    data = data[:len(data) // 2 * 2]
    return np.frombuffer(data, dtype="<i2").astype(np.float64)


def device_report(stack, bulletin, device):
    area = stack.speakers[device]
    mine = [r for r in bulletin.receipts if r["device"] == device]
    first = [r["first_sample_us"] for r in mine if r["event"] == "started"]
    return {"id": device, "area": area,
            "addressed": area == bulletin.area
            or area.startswith(bulletin.area + "/"),
            "wav": stack.path("wav", device + ".wav"),
            "first_sample_us": first[0] if first else None,
            "receipts": [r["event"] for r in mine]}


def write_report(stack, bulletins):
    report = {"bulletins": [{
        "id": b.id, "kind": b.kind, "area": b.area,
        "scheduled_start_us": b.start_ms * 1000, "steps_ms": b.steps,
        "devices": [device_report(stack, b, d) for d in sorted(stack.speakers)]
    } for b in bulletins]}
    tmp = stack.path("report.json.tmp")
    with open(tmp, "w") as f:
        json.dump(report, f, indent=1, ensure_ascii=False)
    os.rename(tmp, stack.path("report.json"))
    return report


def without(stack, device, spans):
    """What a loudspeaker played, with silence where others had planned."""
    wav = stack.path("wav", device + ".wav")
    samples = read_wav(wav)
    with open(wav + ".start_us") as f:
        opened_us = int(f.read())
    for span in spans:
        first, end = (max((us - opened_us) * wavcheck.RATE // 1000000, 0)
                      for us in (span[0] - LATE_MS_MAX * 1000,
                                 span[1] + LATE_MS_MAX * 1000))
        samples[first:end] = 0
    return samples


def judge_addressed(found, device, samples, reference):
    """Sentences about what is wrong with a loudspeaker that was addressed."""
    wrong = []
    if device["receipts"].count("finished") != 1:
        wrong.append("không xác nhận" if not english() else "did not confirm")
        return wrong
    found.update(wavcheck.check(samples, reference))
    if found["correlation"] < CORRELATION_MIN:
        wrong.append(word("correlation") + f" {found['correlation']}")
    if found["gap_ms"] is None or found["gap_ms"] > GAP_MS_MAX:
        wrong.append(word("gap") + f" {found['gap_ms']} ms")
    if found["repeats"]:
        wrong.append(f"{found['repeats']} " + word("repeats"))
    if abs(found["late_ms"]) > LATE_MS_MAX:
        wrong.append(f"{found['late_ms']:+.1f} ms")
    return wrong


# What the loudspeakers report, and the steps of a bulletin, for people.
VIETNAMESE = {
    "received": "đã nhận lịch", "verified": "đã kiểm tra",
    "started": "bắt đầu phát", "finished": "phát xong",
    "interrupted": "bị ngắt", "refused": "từ chối", "command": "nhận lệnh",
    "ingested": "xử lý", "approved": "duyệt", "scheduled": "lên lịch",
    "distributed": "phân phối", "confirmed": "xác nhận",
    "correlation": "độ giống", "gap": "khoảng trống", "repeats": "chỗ lặp",
}


def word(of):
    return of if english() else VIETNAMESE.get(of, of)


def told(device):
    """What a loudspeaker reported, in order."""
    return " → ".join(word(r) for r in device["receipts"])


def print_device(device, found, wrong):
    ok = "✓" if not wrong else "✗"
    if not device["addressed"]:
        text = ("silent, as it should be" if english()
                else "im lặng, đúng như phải thế")
    elif found.get("correlation") is not None:
        text = (f"{found['late_ms']:+6.2f} ms  r={found['correlation']:.3f}  "
                + told(device))
    else:
        text = told(device) or "-"
    print(f"   {ok} {device['id']:<12} {device['area']:<22} {text}"
          + (f"   !! {', '.join(wrong)}" if wrong else ""), flush=True)


def judge(stack, report, references, others):
    """Print what was heard where; the number of things that were wrong."""
    trouble = 0
    samples = {d: without(stack, d, others[area])
               for d, area in stack.speakers.items()}
    addressed = {d["id"] for b in report["bulletins"] for d in b["devices"]
                 if d["addressed"]}
    for b, reference in zip(report["bulletins"], references):
        s = b["steps_ms"]
        print()
        kind = {"audio": ("Bản ghi âm", "Recording"),
                "text": ("Văn bản", "Text")}[b["kind"]][english()]
        at = time.strftime("%H:%M:%S", time.gmtime(
            b["scheduled_start_us"] // 1000000 + 7 * 3600))
        say(f"{kind} {b['id'][:8]} → {b['area']}, lúc {at}",
            f"{kind} {b['id'][:8]} → {b['area']}, at {at} (UTC+7)")
        print("   " + "  ".join(f"{word(k)} {v} ms" for k, v in s.items()))
        for d in b["devices"]:
            found = {"correlation": None}
            wrong = []
            if d["addressed"]:
                found["late_ms"] = ((d["first_sample_us"] or 0)
                                    - b["scheduled_start_us"]) / 1000
                wrong = judge_addressed(found, d, samples[d["id"]], reference)
            elif d["receipts"] or (d["id"] not in addressed
                                   and samples[d["id"]].any()):
                wrong = ["sound where none was addressed" if english()
                         else "có tiếng ở nơi không được gửi tới"]
            print_device(d, found, wrong)
            trouble += len(wrong)
    return trouble


def make_known(stack, principal):
    """To the registry, which revokes only what it knows."""
    key = stack.key(principal)
    done = stack.loactl("admin", "principal", "add", key, check=False)
    if done.returncode == 0:
        return
    if "revoked" in done.stderr:
        raise stack.revoked_trouble(principal)
    raise Trouble(f"{principal}: {done.stderr.strip()}")


def planned(stack, communes):
    """What these communes will hear that is not of this run, in µs: a run that
    was stopped leaves bulletins, and so do people."""
    return {commune: [(at * 1000, (at + e["duration_ms"]) * 1000)
                      for e in stack.loactl("minh", "schedule", "ls", commune)
                      for at in e["starts_at_ms"]]
            for commune in communes}


def prepare(stack):
    """Areas, who may be revoked, and six loudspeakers in two communes; harmless
    when repeated."""
    if not stack.loactl("admin", "area", "find", "vn"):
        stack.import_areas()
    for principal in [s[2] for s in SERVICES] + [s[0] for s in STAFF]:
        make_known(stack, principal)
    communes = stack.communes()[:2]
    revoked = {d["id"] for d in stack.loactl("admin", "device", "ls")
               if d["revoked"]}
    for n, area in enumerate(communes):
        for k in range(SPEAKERS_EACH):
            device = f"loa_{n * SPEAKERS_EACH + k + 1}"
            folder = stack.path("speakers", device)
            if device in revoked and enrolled(folder):
                say_stays_down(device, folder)
            else:
                stack.add_speaker(device, area)
    stack.wait(lambda: stack.online() >= set(stack.speakers), 30, "speaker")
    return communes


def say_stays_down(device, folder):
    """Nobody lets it in: the others do not wait for it."""
    say(f"• {device} đã bị thu hồi nên không chạy: muốn dùng lại, hãy chuyển "
        f"{folder} đi nơi khác, lần khởi động sau sẽ đăng ký lại loa với khoá "
        "mới",
        f"• {device} is revoked and stays down: to have it back, move "
        f"{folder} away, and the next start enrols it anew with a new key")


def perform(stack, args, communes):
    area = next((c for c in communes if c in stack.speakers.values()), None)
    if area is None:
        say("✗ Mọi loa mẫu đã bị thu hồi: không phát gì",
            "✗ Every sample loudspeaker is revoked: nothing is played")
        return 1
    others = planned(stack, communes)
    audio, text = Bulletin("audio", area), Bulletin("text", area)
    source = args.audio or recording(stack)
    say(f"• Mỗi lần khởi động đều phát hai bản tin mẫu ở {area}, cả khi hệ "
        "thống đang được dùng",
        f"• Every start plays two sample bulletins in {area}, also on a stack "
        "in use")
    say("• Lan nộp một bản ghi âm và một văn bản",
        "• Lan hands in a recording and a text")
    audio.hand_in(stack, "add", source)
    text.hand_in(stack, "say", args.text)
    say("• Minh duyệt cả hai", "• Minh approves both")
    audio.approve(stack)
    text.approve(stack)
    say(f"• Lan lên lịch cho {area}", f"• Lan schedules them for {area}")
    start_ms = int((time.time() + LEAD_S) * 1000)
    audio.schedule(stack, start_ms)
    text.schedule(stack, int(audio.over() * 1000 + PAUSE_S * 1000))
    wanted = {d for d, a in stack.speakers.items() if a == area}
    say("• Loa nhận nội dung, kiểm tra chữ ký và chờ đến giờ ...",
        "• The loudspeakers fetch, verify, and wait for the moment ...")
    while not all([b.follow(stack, wanted) for b in (audio, text)]):
        time.sleep(0.2)
    report = write_report(stack, [audio, text])
    # The text's source is what the speech engine said: the archived sound.
    spoken = stack.path("text.opus")
    stack.loactl("lan", "content", "export", "--force",
                 text.content["content"], spoken)
    references = [reference(stack, source, audio), wavcheck.read(spoken)]
    return judge(stack, report, references, others)


def reference(stack, source, bulletin):
    """The sound that was handed in, independent of what Loa made of it; what
    only ffmpeg reads is compared with the archived sound instead."""
    try:
        return wavcheck.read(source)
    except ValueError:
        archived = stack.path("audio.opus")
        stack.loactl("lan", "content", "export", "--force",
                     bulletin.content["content"], archived)
        return wavcheck.read(archived)


def print_next(stack):
    ctl = f"{os.path.relpath(stack.bin('loactl'))} --port {stack.port}"
    print()
    say("Đang chạy; Ctrl-C để dừng. Thử tiếp:",
        "Running; Ctrl-C stops it. Try next:")
    area = stack.communes()[0]
    for who, line in (
            ("lan", "content say 'Kính mời bà con họp thôn lúc 7 giờ tối.'"),
            ("minh", "content export ID tin.opus"),
            ("minh", f"content approve tin.opus --area {area}"),
            ("lan", f"schedule add ID {area} --at +1m --dry-run"),
            ("lan", f"schedule add ID {area} --at +1m"), ("lan", "watch"),
            ("lan", "status"), ("lan", f"device stop {area}"),
            ("admin", f"device enrol {area} --name 'Nhà văn hoá'")):
        print(f"   {ctl} --identity {os.path.relpath(stack.key(who))} {line}")
    print(f"   curl http://127.0.0.1:{stack.service_port('scheduler')}/metrics")
    print(f"   psql \"{stack.conninfo('loa')}\"")
    names = ", ".join(p for p, _, _ in STAFF)
    say(f"Danh tính ({names}) nằm trong {stack.path('keys')}; "
        f"âm thanh trong {stack.path('wav')}",
        f"Identities ({names}) are in {stack.path('keys')}; "
        f"the sound is in {stack.path('wav')}")


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--stay", action="store_true", help="stay up until Ctrl-C")
    # make passes these on in the environment: no shell ever reads them.
    env = os.environ.get
    p.add_argument("--audio", default=env("LOA_DEMO_AUDIO"),
                   help="another recording")
    p.add_argument("--text", default=env("LOA_DEMO_TEXT") or TEXT,
                   help="another text")
    p.add_argument("--var", default=env("LOA_DEMO_VAR") or "var",
                   help="where the data is (var)")
    p.add_argument("--port", default=env("LOA_DEMO_PORT") or "18830",
                   help="the first of five ports (18830)")
    p.add_argument("--build", default="build/plain", help="the programs")
    args = p.parse_args()
    if not re.fullmatch("[0-9]{4,5}", args.port) or \
            not 1024 <= int(args.port) <= 65500:
        raise Trouble(f"PORT={args.port}: want a number from 1024 to 65500")
    args.port = int(args.port)
    if args.audio and not os.path.isfile(args.audio):
        raise Trouble(f"AUDIO={args.audio}: there is no such file")
    if not args.text.strip():
        raise Trouble("TEXT: the text is empty")
    return args


def main():
    stop = threading.Event()
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda *_: stop.set() or _interrupt())
    args = None
    try:
        args = arguments()
        with Demo(args.var, args.port, args.build) as stack:
            began = time.monotonic()
            trouble = perform(stack, args, prepare(stack))
            print()
            if trouble:
                say(f"✗ {trouble} điều sai; nhật ký ở {stack.path('log')}",
                    f"✗ {trouble} things were wrong; logs: {stack.path('log')}")
            else:
                say(f"✓ Mọi loa đã phát đúng và đã xác nhận "
                    f"({time.monotonic() - began:.0f} giây). "
                    f"{stack.path('report.json')}",
                    f"✓ Everything was heard and confirmed "
                    f"({time.monotonic() - began:.0f} s). "
                    f"{stack.path('report.json')}")
            if args.stay:
                print_next(stack)
                _wait(stop)
            return 1 if trouble else 0
    except KeyboardInterrupt:
        return 0 if args and args.stay else 1
    except Trouble as e:
        print(f"loa: {e}", file=sys.stderr)
        return 1
    except OSError as e:
        print(f"loa: {e.filename}: {e.strerror}; give another place with "
              "VAR=DIR", file=sys.stderr)
        return 1


_may_interrupt = [True]


def _interrupt():
    """The first Ctrl-C ends what is going on; further ones let it end."""
    if _may_interrupt[0]:
        _may_interrupt[0] = False
        raise KeyboardInterrupt


def _wait(stop):
    while not stop.wait(1):
        pass


if __name__ == "__main__":
    sys.exit(main())
