"""Sound for tests: a real voice, decoders that are not ours, measures.

    voice(path)                       # 11 s of a woman counting channels, WAV
    a, b = pcm("x.flac"), pcm("y.opus")   # mono, 48 kHz, by ffmpeg
    correlation(a, b)                 # -> best value, lag in samples
    loudness("y.opus")                # -> integrated LUFS, true peak dBTP
"""
import hashlib
import os
import re
import struct
import subprocess
import wave

import numpy as np

RATE_HZ = 48000
FRAME_SAMPLES = 960
# Real recordings that Debian ships (alsa-utils): one voice, eight phrases.
VOICES_DIR = "/usr/share/sounds/alsa"
VOICES = ["Front_Center", "Front_Left", "Front_Right", "Rear_Center",
          "Rear_Left", "Rear_Right", "Side_Left", "Side_Right"]


def voice(path, times=1):
    """Write the voice as WAV, 48 kHz mono 16 bit."""
    frames = b""
    for name in VOICES:
        with wave.open(os.path.join(VOICES_DIR, name + ".wav")) as w:
            assert (w.getframerate(), w.getnchannels()) == (RATE_HZ, 1)
            frames += w.readframes(w.getnframes())
    wav_write(path, frames * times)
    return path


def wav_write(path, frames, rate_hz=RATE_HZ, channels=1):
    """16-bit WAV of bytes or of a numpy array in -1..1."""
    if not isinstance(frames, bytes):
        frames = (np.clip(frames, -1, 1) * 32767).astype("<i2").tobytes()
    with wave.open(str(path), "wb") as w:
        w.setnchannels(channels)
        w.setsampwidth(2)
        w.setframerate(rate_hz)
        w.writeframes(frames)


def pcm(path):
    """Any file as mono at 48 kHz, decoded by ffmpeg."""
    raw = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", str(path), "-ac", "1",
         "-ar", str(RATE_HZ), "-f", "f32le", "-"],
        check=True, stdout=subprocess.PIPE).stdout
    return np.frombuffer(raw, "<f4").astype(float)


def correlation(a, b):
    """Highest normalised cross-correlation and its lag (b later: positive)."""
    n = 1 << (len(a) + len(b) - 1).bit_length()
    c = np.fft.irfft(np.fft.rfft(b, n) * np.conj(np.fft.rfft(a, n)), n)
    lag = int(np.argmax(c))
    value = c[lag] / np.sqrt(np.dot(a, a) * np.dot(b, b))
    return value, lag - n if lag > n // 2 else lag


def loudness(path):
    """Integrated loudness and true peak by ffmpeg's meter, not by ours."""
    text = subprocess.run(
        ["ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-i", str(path),
         "-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"],
        check=True, stderr=subprocess.PIPE, text=True).stderr
    summary = text[text.rindex("Summary:"):]
    return (float(re.search(r"I: +(\S+) LUFS", summary).group(1)),
            float(re.search(r"Peak: +(\S+) dBFS", summary).group(1)))


class Frames:
    """A .loaframes file by its description in services/encode/frames.h."""

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        (magic, version, rate, channels, frame_ms, self.pre_skip, n,
         self.samples) = struct.unpack(">6sHIBBHII", data[:24])
        assert (magic, version, rate, channels, frame_ms) == (
            b"LOAF1\0", 1, RATE_HZ, 1, 20)
        self.frames, at = [], 24
        for _ in range(n):
            length, = struct.unpack_from(">H", data, at)
            self.frames.append(data[at + 2:at + 2 + length])
            at += 2 + length
        assert at == len(data)

    def hash(self):
        h = hashlib.blake2b(b"loa/1/content", digest_size=32)
        for frame in self.frames:
            h.update(struct.pack(">H", len(frame)) + frame)
        return h.hexdigest()


def ogg_packets(path):
    """Packets of an Ogg file with one stream, and its last granule position."""
    with open(path, "rb") as f:
        data = f.read()
    packets, part, at, granule = [], b"", 0, None
    while at < len(data):
        assert data[at:at + 4] == b"OggS"
        granule, = struct.unpack_from("<q", data, at + 6)
        table = data[at + 27:at + 27 + data[at + 26]]
        at += 27 + len(table)
        for lacing in table:
            part += data[at:at + lacing]
            at += lacing
            if lacing < 255:
                packets.append(part)
                part = b""
    return packets, granule
