#!/usr/bin/python3
"""Whole programs with the n-th allocation failing, once or from then on.

    processes.py --build build/plain --runs 300 --seed 1

loa-encode makes a short recording and a short text into frames, loa-speaker
plays a bulletin into a WAV file while one that nobody approved is planned too.
Required of each run, whatever it allocates and wherever that fails:

    no signal         an end is an exit code and a sentence
    encode            OUT is byte for byte what it is with memory, or is not there
    speaker           its WAV holds the approved bulletin at its time, or silence
    afterwards        the same loudspeaker, with memory, plays the next bulletin
"""
import argparse
import collections
import concurrent.futures
import math
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def fail(text):
    print("FAIL", text, flush=True)
    sys.exit(1)


def sample(rng, last, runs):
    """Half of `runs` numbers from 1 to last, each once and from then on."""
    numbers = list(range(1, last + 1))
    if len(numbers) > runs // 2:
        numbers = sorted(rng.sample(numbers, runs // 2))
    return [f"{n}{how}" for n in numbers for how in ("", "+")]


# --- loa-encode ---------------------------------------------------------------

def short_wav(path):
    data = b"".join(struct.pack("<h", int(9000 * math.sin(i / 3))) for i in range(8000))
    head = struct.pack("<HHIIHH", 1, 1, 16000, 32000, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data)) + data
    with open(path, "wb") as f:
        f.write(b"RIFF" + struct.pack("<I", len(body)) + body)


def encode(o, folder, argv, oom):
    out = os.path.join(folder, f"out-{oom}")
    env = dict(os.environ, LD_PRELOAD=os.path.join(o.build, "test/oom/nth.so"),
               LOA_OOM_COUNT=os.path.join(folder, "count"))
    if oom:
        env["LOA_OOM"] = oom
        del env["LOA_OOM_COUNT"]
    p = subprocess.run([os.path.join(o.build, "loa-encode"), *argv, out], env=env,
                       capture_output=True, text=True, timeout=120)
    made = None
    if os.path.exists(out):
        with open(out, "rb") as f:
            made = f.read()
    return p, made


def encodes(o, rng, what, folder, argv):
    p, whole = encode(o, folder, argv, None)
    if p.returncode != 0:
        fail(f"{what}: {p.stderr}")
    with open(os.path.join(folder, "count"), encoding="ascii") as f:
        last = int(f.read())
    ends = collections.Counter()

    def one(oom):
        p, made = encode(o, folder, argv, oom)
        said = p.stderr.strip()
        if p.returncode < 0:
            fail(f"{what} n={oom}: signal {-p.returncode}")
        if made != (whole if p.returncode == 0 else None):
            fail(f"{what} n={oom}: exit {p.returncode} and another OUT")
        if p.returncode != 0 and not said:
            fail(f"{what} n={oom}: exit {p.returncode} without a word")
        return p.returncode

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for code in pool.map(one, sample(rng, last, o.runs)):
            ends[code] += 1
    print(f"  {what}: {last} allocations, {sum(ends.values())} runs: exit "
          + ", ".join(f"{c}: {n}" for c, n in sorted(ends.items())), flush=True)


# --- loa-speaker ----------------------------------------------------------------

WAVE_N = 25  # Loudspeakers at a time.
LEAD_S = 9
SOUND_S = 0.8
PUSH_S = 4  # Before its time a bulletin is pushed, whoever is there.
SPEAKER_LAST = 260  # It makes about 200 until it has played and ended.


def heard(sr, pole, content, start):
    """What its WAV holds: "nothing", "the bulletin", or what is wrong."""
    if not os.path.exists(pole.wav) or os.path.getsize(pole.wav) <= 44:
        return "nothing"  # It ended before it opened its output.
    samples = pole.samples()
    if not samples.any():
        return "nothing"
    at = pole.index(start)
    edge = sr.RATE // 50
    end = at + len(content.pcm) + 2 * edge
    if samples[:max(at - edge, 0)].any() or samples[end:].any():
        return "something at another time"
    value, _ = sr.correlate(samples, content.pcm, at)
    return "the bulletin" if value > 0.8 else "something else"


def check_pole(sr, pole, n, good, start):
    code = pole.process.poll()
    what = f"loa-speaker n={n}"
    if code is not None:
        pole.process = None
        if code < 0:
            fail(f"{what}: signal {-code}\n{pole.log()[-2000:]}")
        if code == 0 or not pole.log().strip():
            fail(f"{what}: exit {code}\n{pole.log()[-2000:]}")
    found = heard(sr, pole, good, start)
    if found not in ("nothing", "the bulletin"):
        fail(f"{what}: {found}")
    return found + (", ended" if code is not None else "")


def wait_all(poles, ready, limit_at_ms):
    """Until each has ended or is ready; without memory one may be neither, for
    it there is the limit."""
    while time.time() * 1000 < limit_at_ms and not all(
            p.process.poll() is not None or ready(p) for p in poles):
        time.sleep(0.05)


def written_to(at_ms):
    def reached(pole):
        return (os.path.exists(pole.wav + ".start_us") and os.path.exists(pole.wav)
                and os.path.getsize(pole.wav) >= 44 + 2 * pole.index(at_ms))
    return reached


def wave_of(rig, sr, o, numbers, first):
    """One loudspeaker for each number; then all of them again, with memory."""
    good, evil, later = (rig.content(sr.speechlike(SOUND_S, k)) for k in (1, 2, 3))
    start = rig.soon(LEAD_S)
    rig.publish_programme(sr.AREA, [rig.bulletin(good, start),
                                    rig.bulletin(evil, start + 1500, approval=b"")])
    poles = [rig.speaker(f"oom_{first + i}", sr.AREA, start=False) for i in range(len(numbers))]
    end = rig.answer_wants(good, sr.AREA)
    for pole, n in zip(poles, numbers):
        pole.start({"LD_PRELOAD": os.path.join(o.build, "test/oom/nth.so"),
                    "LOA_OOM_COUNT": os.path.join(pole.folder, "count"),
                    **({"LOA_OOM": n} if n else {})})
    wait_all(poles, sr.Speaker.online, start - PUSH_S * 1000)
    rig.push(good, sr.AREA)
    rig.push(evil, sr.AREA)
    wait_all(poles, written_to(start + 3500), start + 8000)
    end()
    found = [check_pole(sr, p, n, good, start) for p, n in zip(poles, numbers)]
    for pole in poles:
        pole.stop()
    rig.states.clear()
    for pole in poles:
        pole.start()
    start = rig.soon(LEAD_S)
    bulletin = rig.bulletin(later, start)
    rig.publish_programme(sr.AREA, [bulletin])
    end = rig.answer_wants(later, sr.AREA)
    wait_all(poles, sr.Speaker.online, start - PUSH_S * 1000)
    rig.push(later, sr.AREA)
    for pole, n in zip(poles, numbers):
        try:
            pole.wait_receipt("FINISHED", bulletin.id, limit_s=20)
        except AssertionError as e:
            fail(f"loa-speaker n={n}: with memory again: {e}")
    end()
    for pole in poles:
        pole.stop()
    return poles, found


def speakers(o, rng):
    sys.path.insert(0, os.path.join(ROOT, "test/integration"))
    os.environ["LOA_BUILD"] = o.build
    import speaker_rig as sr
    ends = collections.Counter()
    numbers = [None] + sample(rng, SPEAKER_LAST, o.runs)  # None: nothing fails.
    with sr.Rig() as rig:
        for i in range(0, len(numbers), WAVE_N):
            poles, found = wave_of(rig, sr, o, numbers[i:i + WAVE_N], i)
            if i == 0:
                with open(os.path.join(poles[0].folder, "count"), encoding="ascii") as f:
                    last = int(f.read())
                if found.pop(0) != "the bulletin" or last > SPEAKER_LAST:
                    fail(f"loa-speaker with all its memory: {found}, {last} allocations")
            ends.update(found)
    print(f"  loa-speaker: {last} allocations, {len(numbers) - 1} runs: "
          + ", ".join(f"{what}: {n}" for what, n in sorted(ends.items())), flush=True)


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build/plain")
    p.add_argument("--runs", type=int, default=300, help="of each program")
    p.add_argument("--seed", type=int, default=1)
    o = p.parse_args()
    o.build = os.path.join(ROOT, o.build)
    return o


def main():
    o = parse()
    rng = random.Random(o.seed)
    with tempfile.TemporaryDirectory(prefix="loa-oom-") as folder:
        wav, text = os.path.join(folder, "a.wav"), os.path.join(folder, "a.txt")
        short_wav(wav)
        with open(text, "w", encoding="utf-8") as f:
            f.write("Thông báo.")
        encodes(o, rng, "encode a recording", folder, ["audio", wav])
        encodes(o, rng, "encode a text", folder, ["text", "--language", "vi", text])
    speakers(o, rng)
    print(f"processes: seed {o.seed}: no signal, no half file, no foreign sound")


if __name__ == "__main__":
    main()
