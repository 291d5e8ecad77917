"""loa-speaker without power, time to run, or room on its disk."""
import os
import random
import signal
import subprocess
import threading
import time

import numpy as np
import pytest

import loa_identity as li
from loa_broker import wait_until
from loa_identity import device as dpb
from speaker_rig import AREA, RATE, Rig, correlate, speechlike


def test_killed_while_playing():
    with Rig() as rig:
        pole = rig.speaker().wait_online()
        content = rig.content(speechlike(4))
        b = rig.bulletin(content, rig.soon(2), rig.soon(12))
        rig.publish_programme(AREA, [b])
        rig.push(content, AREA)
        pole.wait_receipt("STARTED", b.id)
        pole.wait_written(b.message.starts_at_ms[0] + 500)
        pole.stop(signal.SIGKILL)
        cut = pole.samples()  # The file is readable, and ends in the speech.
        assert cut.any()
        pole.start()
        r = pole.wait_receipt("INTERRUPTED", b.id)
        assert (r.reason, r.start_at_ms) == ("restarted",
                                             b.message.starts_at_ms[0])
        r = pole.wait_receipt("FINISHED", b.id)
        assert r.start_at_ms == b.message.starts_at_ms[1]
        starts = [r.start_at_ms for r in pole.receipts("STARTED", b.id)]
        assert starts == list(b.message.starts_at_ms)
        pole.stop()
        heard = pole.samples()
        c, _ = correlate(heard, content.pcm, pole.index(starts[1]))
        assert c > 0.9
        before = heard[:pole.index(starts[1]) - 480]
        assert not before.any()  # What was cut is not begun again.


def written(pole):
    """Every sample in the WAV: of one that was killed, its header says less."""
    try:
        with open(pole.wav, "rb") as f:
            data = f.read()[44:]
    except FileNotFoundError:
        data = b""  # Killed before it was there.
    return np.frombuffer(data[:len(data) // 2 * 2], np.int16)


def bursts(pole, length):
    """Sounds of so many samples in the WAV, as wall times (ms) of their
    beginning. One that a busy machine tore apart is one; the same file, read
    again, has the same."""
    x = written(pole)
    found, quiet, left = set(), RATE, 0
    for i in range(0, len(x), 960):
        if not x[i:i + 960].any():
            quiet += 960
            continue
        if quiet > RATE // 10 and left < 2 * 960:
            found.add(pole.opened_us() // 1000 + i * 1000 // RATE)
            left = length
        left -= 960
        quiet = 0
    return found


def live(pole, chance, until_ms, heard):
    """One life: as long as chance will have it, or into a sound that was not
    heard before."""
    into_a_sound = chance.random() < 0.5
    if not into_a_sound:
        until_ms = min(until_ms, li.now_ms() + chance.uniform(200, 1800))
    while li.now_ms() < until_ms:
        if into_a_sound and bursts(pole, RATE) - heard:
            time.sleep(chance.uniform(0, 1))
            return
        time.sleep(0.02)


def kill_again_and_again(pole, chance, until_ms, heard):
    while li.now_ms() < until_ms:
        live(pole, chance, until_ms, heard)
        pole.stop(signal.SIGKILL)
        heard |= bursts(pole, RATE)
        pole.start()


def all_killed(poles, chances, until_ms, heard):
    killers = [threading.Thread(target=kill_again_and_again,
                                args=(p, chances[p], until_ms, heard[p]))
               for p in poles]
    for k in killers:
        k.start()
    for k in killers:
        k.join()


def ends_of(pole, b):
    return [r for r in pole.receipts(bulletin=b.id)
            if r.event in (dpb.RECEIPT_EVENT_FINISHED,
                           dpb.RECEIPT_EVENT_INTERRUPTED,
                           dpb.RECEIPT_EVENT_REFUSED)]


def check_once_each(pole, bulletins, heard):
    free = sorted(s for b in bulletins for s in b.message.starts_at_ms)
    for h in sorted(heard):  # A late one may sound after the next start.
        match = [s for s in free if -20 <= h - s <= 2200]
        assert match, (h, heard, bulletins[0].message.starts_at_ms)
        free.remove(match[0])
    for b in bulletins:
        started = [r.start_at_ms for r in pole.receipts("STARTED", b.id)]
        assert len(started) == len(set(started))
        for s in b.message.starts_at_ms:
            ends = [r for r in ends_of(pole, b) if r.start_at_ms == s]
            assert len(ends) == 1, (s, pole.receipts_text())


def test_killed_at_any_moment():
    """Killed all the time, also in the midst of a sound: each occurrence sounds
    at most once, and has one end. It goes on until each was heard."""
    with Rig() as rig:
        poles = [rig.speaker(f"pole_{n}") for n in range(4)]
        chances = {p: random.Random(n) for n, p in enumerate(poles)}
        heard = {p: set() for p in poles}
        content = rig.content(speechlike(1))  # RATE samples.
        end = rig.answer_wants(content, AREA)
        bulletins = []
        while not all(heard.values()):
            assert len(bulletins) < 6, (heard, poles[0].log())
            starts = [rig.soon(3) + 1500 * i for i in range(8)]
            bulletins.append(rig.bulletin(content, *starts))
            rig.publish_programme(AREA, bulletins)
            all_killed(poles, chances, starts[-1] + 2500, heard)
        # Not until they are online: the broker says so of one that was killed
        # a moment ago, and then the last ends were not told yet.
        for p in poles:
            for b in bulletins:
                wait_until(lambda p=p, b=b: {r.start_at_ms
                                             for r in ends_of(p, b)}
                           >= set(b.message.starts_at_ms),
                           f"{p.device}: every end; has {p.receipts_text()}",
                           60)
        end()
        for p in poles:
            p.stop()
            check_once_each(p, bulletins, heard[p] | bursts(p, RATE))


def test_suspended_while_playing():
    """A stall shorter than the output's buffer is not heard; after a longer one
    it goes on where it was, and nothing is repeated or skipped."""
    with Rig() as rig:
        pole = rig.speaker().wait_online()
        content = rig.content(speechlike(5))
        starts = [rig.soon(2), rig.soon(10)]
        b = rig.bulletin(content, *starts)
        rig.publish_programme(AREA, [b])
        rig.push(content, AREA)
        for stall_s, count in ((0.25, 1), (1.5, 2)):
            pole.wait_receipt("STARTED", b.id, count=count)
            pole.wait_written(starts[count - 1] + 1000)
            pole.process.send_signal(signal.SIGSTOP)
            time.sleep(stall_s)
            pole.process.send_signal(signal.SIGCONT)
            pole.wait_receipt("FINISHED", b.id, count=count)
        pole.stop()
        heard = pole.samples()
        c, shift = correlate(heard, content.pcm, pole.index(starts[0]))
        assert c > 0.9 and abs(shift) <= 48
        second = heard[pole.index(starts[1]) - 960:]
        gaps = longest_silence(second[:int(6.4 * RATE)])
        assert 0.9 * RATE < gaps < 1.7 * RATE, gaps / RATE
        c, _ = correlate(second, content.pcm[:RATE // 2], 960)
        assert c > 0.9
        last = len(second) - np.argmax(second[::-1] != 0)
        c, _ = correlate(second, content.pcm[-RATE:], last - RATE)
        assert c > 0.9


def longest_silence(x):
    best = run = 0
    for i in range(0, len(x), 96):
        run = 0 if x[i:i + 96].any() else run + 96
        best = max(best, run)
    return best


@pytest.fixture(name="small_disk")
def mount_small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k,mode=0700",
                       "tmpfs", str(folder)], capture_output=True,
                      check=False).returncode != 0:
        pytest.skip("may not mount a small disk here")
    yield str(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk(small_disk):
    """Silence where it is unsure, and somebody is told; when there is room
    again, all is as before."""
    with Rig() as rig:
        pole = rig.speaker(start=False)
        pole.data = small_disk
        pole.identity.save(os.path.join(small_disk, "identity"))
        pole.start()
        pole.wait_online()
        before = rig.content(speechlike(2, seed=1))
        content = rig.content(speechlike(10, seed=2))
        a = rig.bulletin(before, rig.soon(5))
        b = rig.bulletin(content, rig.soon(9), rig.soon(22))
        rig.publish_programme(AREA, [a])
        rig.push(before, AREA)
        pole.wait_receipt("VERIFIED", a.id)
        ballast = os.path.join(small_disk, "ballast")
        with open(ballast, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                f.truncate(os.path.getsize(ballast) - 16384)
        rig.publish_programme(AREA, [a, b])
        end = rig.answer_wants(content, AREA)
        pole.wait_receipt("FINISHED", a.id)  # It was complete.
        r = pole.wait_receipt("REFUSED", b.id)
        assert r.reason == "incomplete"
        wait_until(lambda: "content.storage_failed" in pole.log(), "log")
        assert pole.online()
        os.unlink(ballast)
        pole.wait_receipt("FINISHED", b.id, limit_s=80)
        end()
        assert list(rig.healths["pole_1"].faults) in (["storage"], [])
