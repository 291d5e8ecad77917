"""What a loudspeaker's WAV holds, measured against the sound it should hold.

    python3 deploy/local/wavcheck.py SPEAKER.wav SOURCE     prints JSON

SOURCE is whatever libsndfile reads (WAV, FLAC, Ogg Opus, MP3, ...). Levels do
not matter: the correlation is normalised.
"""
import ctypes
import ctypes.util
import json
import sys

import numpy as np

RATE = 48000
FRAME = RATE // 50  # 20 ms


class _Info(ctypes.Structure):
    _fields_ = [("frames", ctypes.c_int64), ("samplerate", ctypes.c_int),
                ("channels", ctypes.c_int), ("format", ctypes.c_int),
                ("sections", ctypes.c_int), ("seekable", ctypes.c_int)]


def _sndfile():
    lib = ctypes.CDLL("libsndfile.so.1")
    lib.sf_open.restype = ctypes.c_void_p
    lib.sf_open.argtypes = [ctypes.c_char_p, ctypes.c_int,
                            ctypes.POINTER(_Info)]
    lib.sf_readf_float.restype = ctypes.c_int64
    lib.sf_readf_float.argtypes = [ctypes.c_void_p, ctypes.c_void_p,
                                   ctypes.c_int64]
    lib.sf_close.argtypes = [ctypes.c_void_p]
    return lib


def read(path):
    """A sound file as 48 kHz mono floats."""
    lib, info = _sndfile(), _Info()
    f = lib.sf_open(path.encode(), 0x10, ctypes.byref(info))  # SFM_READ
    if not f:
        raise ValueError(f"{path}: not a sound file that libsndfile reads")
    data = np.zeros((info.frames, info.channels), dtype=np.float32)
    n = lib.sf_readf_float(f, data.ctypes.data, info.frames)
    lib.sf_close(f)
    return resample(data[:n].mean(axis=1).astype(np.float64), info.samplerate)


def resample(x, rate):
    """Band-limited, by the Fourier transform of the whole."""
    if rate == RATE or len(x) == 0:
        return x
    pad = np.concatenate([x, np.zeros((-len(x)) % rate)])
    n = len(pad) * RATE // rate
    spectrum = np.fft.rfft(pad)
    out = np.zeros(n // 2 + 1, dtype=complex)
    k = min(len(spectrum), len(out))
    out[:k] = spectrum[:k]
    return np.fft.irfft(out, n)[:len(x) * RATE // rate] * (RATE / rate)


def correlate(x, ref):
    """Normalised cross-correlation of ref with every place of x."""
    n = 1 << (len(x) + len(ref) - 1).bit_length()
    dots = np.fft.irfft(np.fft.rfft(x, n) * np.conj(np.fft.rfft(ref, n)), n)
    dots = dots[:max(len(x) - len(ref) + 1, 1)]
    sums = np.concatenate([[0.0], np.cumsum(x * x)])
    power = sums[len(ref):len(ref) + len(dots)] - sums[:len(dots)]
    scale = np.sqrt(np.maximum(power, 1e-9) * np.dot(ref, ref))
    return dots / np.maximum(scale, 1e-9)


def trim(ref):
    """Without the silence at both ends: it cannot be told from silence."""
    loud = np.flatnonzero(np.abs(ref) > 0.003 * np.max(np.abs(ref)))
    return (ref[loud[0]:loud[-1] + 1], int(loud[0])) if len(loud) else (ref, 0)


def longest_gap_ms(x, ref):
    """The longest stretch in which ref sounds and x is digital silence."""
    n = len(ref) // 240 * 240  # 5 ms steps
    level = np.sqrt((ref[:n].reshape(-1, 240) ** 2).mean(axis=1))
    sounds = level > 0.05 * level.max()
    silent = (x[:n].reshape(-1, 240) == 0).all(axis=1)
    worst = run = 0
    for a, b in zip(sounds, silent):
        run = run + 1 if a and b else 0
        worst = max(worst, run)
    return worst * 5


def drift_ms(x, ref):
    """How far pieces of 500 ms lie from where the whole says they are."""
    worst, size, reach = 0.0, RATE // 2, RATE // 20
    for at in range(0, len(ref) - size, size):
        piece = ref[at:at + size]
        if np.sqrt((piece ** 2).mean()) < 0.1 * np.sqrt((ref ** 2).mean()):
            continue
        lo = max(at - reach, 0)
        c = correlate(x[lo:at + size + reach], piece)
        worst = max(worst, abs(int(np.argmax(c)) + lo - at) * 1000 / RATE)
    return worst


def check(speaker, ref):
    """A dict of what was found of ref in the speaker's samples."""
    core, lead = trim(ref)
    if len(speaker) < len(core) or not speaker.any():
        return {"correlation": 0.0, "at_s": None, "gap_ms": None,
                "drift_ms": None, "repeats": 0}
    c = correlate(speaker, core)
    at = int(np.argmax(c))
    found = speaker[at:at + len(core)]
    # A second copy lies beside the first; a tone is like itself shifted, so
    # what overlaps the first tells nothing.
    rest = c.copy()
    rest[max(at - len(core), 0):at + len(core)] = 0
    return {"correlation": round(float(c[at]), 4),
            "at_s": round((at - lead) / RATE, 6),
            "gap_ms": longest_gap_ms(found, core),
            "drift_ms": round(drift_ms(found, core), 3),
            "repeats": int(np.count_nonzero(
                rest.reshape(-1)[:len(rest) // 480 * 480].reshape(-1, 480)
                .max(axis=1) > 0.5)) if len(rest) >= 480 else 0}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print(json.dumps(check(read(sys.argv[1]), read(sys.argv[2]))))
