"""Recordings that say who they are, and finding them in what a speaker played.

A recording is a marker tone, once, at its very beginning, and then two tones
that no other recording has together. So a WAV tells what sounded, when, for
how long, and whether it began again.
"""
import os
import sys

import numpy as np

RATE = 48000
FRAME = RATE // 50          # 20 ms
WINDOW = 2 * FRAME          # 25 Hz apart
MARKER_HZ = 2600            # All of it low: Opus keeps speech, not whistles.
MARKER_S = 0.2
STEP_HZ, FIRST_HZ, TONES, APART = 50, 300, 32, 4
LOUD = 300                  # Of 32767: what counts as sound.
JOIN_FRAMES = 5
STALL_US = 4_000_000         # No SIGSTOP lasts longer.

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../integration"))
from loa_sound import wav_write  # noqa: E402


def pairs():
    """All codes: two tones, at least 200 Hz apart."""
    return [(i, j) for i in range(TONES) for j in range(i + APART, TONES)]


def _hz(tone):
    return FIRST_HZ + STEP_HZ * tone


def make(path, code, body_s):
    t = np.arange(int(MARKER_S * RATE)) / RATE
    u = np.arange(int(body_s * RATE)) / RATE
    body = sum(np.sin(2 * np.pi * _hz(k) * u) for k in code)
    sound = np.concatenate([0.5 * np.sin(2 * np.pi * MARKER_HZ * t),
                            0.25 * body])
    wav_write(path, sound)


def _frames(path):
    """Indexes of the frames that sound, and the samples."""
    with open(path, "rb") as f:
        data = np.frombuffer(f.read()[44:], "<i2")
    n = len(data) // FRAME
    level = np.abs(data[:n * FRAME].reshape(n, FRAME)).max(axis=1)
    return np.flatnonzero(level > LOUD), data


def _label(window):
    """"marker", a code, or None."""
    s = np.abs(np.fft.rfft(window * np.hanning(len(window)))) ** 2
    s[:8] = 0
    total = s.sum()
    if total == 0:
        return None
    k = RATE // len(window)
    near = [s[hz // k - 1:hz // k + 2].sum()
            for hz in [MARKER_HZ] + [_hz(t) for t in range(TONES)]]
    order = np.argsort(near)[::-1]
    if order[0] == 0 and near[0] > 0.6 * total:
        return "marker"
    first, second = order[0] - 1, order[1] - 1
    if (first < 0 or second < 0 or near[order[1]] < 0.1 * total
            or near[order[0]] + near[order[1]] < 0.7 * total):
        return None
    if abs(first - second) < APART:
        return None
    return (min(first, second), max(first, second))


def _runs(active):
    """Frames in a row, small holes overlooked."""
    if not len(active):
        return
    cuts = np.flatnonzero(np.diff(active) > JOIN_FRAMES)
    begin = 0
    for end in [*cuts, len(active) - 1]:
        yield int(active[begin]), int(active[end]) + 1
        begin = end + 1


def _labels(data, first, last):
    pad = np.zeros(WINDOW)
    out = []
    for f in range(first, last):
        w = data[f * FRAME:f * FRAME + WINDOW]
        pad[:] = 0
        pad[:len(w)] = w
        out.append(_label(pad))
    return out


def heard(path, start_us):
    """What sounded: [{code or None, marked, at_us, body_s}], in order."""
    active, data = _frames(path)
    found = []
    for first, last in _runs(active):
        labels = _labels(data, first, last)
        piece = _torn(found, start_us + first * 20000)
        for i, what in enumerate(labels):
            at_us = start_us + (first + i) * 20000
            if what == "marker":
                if piece is None or piece["codes"] or not piece["marked"]:
                    piece = _piece(found, at_us, True)
                piece["markers"] += 1
                piece["last_us"] = at_us
                continue
            if piece is None:
                piece = _piece(found, at_us, False)
            piece["labels"].append(what)
            piece["codes"] = True
    return [v for p in found for v in _verdicts(p)]


def _torn(found, at_us):
    """A speaker that was stopped within the marker goes on with the rest."""
    if not found:
        return None
    p = found[-1]
    whole = p["codes"] or p["markers"] > MARKER_S * 50 - 2
    return None if whole or at_us - p["last_us"] > STALL_US else p


def _piece(found, at_us, marked):
    found.append({"at_us": at_us, "marked": marked, "codes": False,
                  "labels": [], "markers": 0, "last_us": at_us})
    return found[-1]


def _verdicts(p):
    """What most of it says; what goes on after that is something else. Two
    markers in a row: the first was cut by the second."""
    if p["markers"] > MARKER_S * 50 + 2:
        p["at_us"] = p["last_us"] - int(MARKER_S * 50 - 1) * 20000
    labels = [x for x in p["labels"] if x is not None]
    code = max(set(labels), key=labels.count, default=None)
    n = labels.count(code)
    if n < 3:
        code = None
    last = len(p["labels"])
    if code is not None:
        last = last - p["labels"][::-1].index(code)
        if n < 0.5 * last:
            code, last = None, len(p["labels"])
    yield {"code": code, "marked": p["marked"], "at_us": p["at_us"],
           "body_s": last * 0.02}
    if len(p["labels"]) - last > 15:
        yield {"code": None, "marked": False,
               "at_us": p["at_us"] + (last + 10 * p["marked"]) * 20000,
               "body_s": (len(p["labels"]) - last) * 0.02}
