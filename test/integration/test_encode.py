"""loa-encode from outside: real recordings and texts in, sound out that other
programs decode and measure."""
import json
import os
import re
import struct
import subprocess

import numpy as np
import pytest

import loa_sound
from loa_encode import (DICTIONARY, NOT_FRAMES, VIETNAMESE, Run, ffmpeg,
                        refused, text_file)
from loa_encode import voice, voice_frames  # noqa: F401
from loa_sound import FRAME_SAMPLES, RATE_HZ, Frames


# --- recordings ---------------------------------------------------------------

# Each is made from the voice: file name, ffmpeg's arguments.
FORMATS = {
    "wav-s16-48k": ("a.wav", ["-c:a", "pcm_s16le"]),
    "wav-s24-44k1-stereo": ("a.wav", ["-c:a", "pcm_s24le", "-ar", "44100",
                                      "-ac", "2"]),
    "wav-f32-96k-stereo": ("a.wav", ["-c:a", "pcm_f32le", "-ar", "96000",
                                     "-ac", "2"]),
    "wav-u8-22k": ("a.wav", ["-c:a", "pcm_u8", "-ar", "22050"]),
    "wav-mulaw-8k": ("a.wav", ["-c:a", "pcm_mulaw", "-ar", "8000"]),
    "wav-s16-16k-six": ("a.wav", ["-af", "pan=6c|c0=c0|c1=c0|c2=c0|c3=c0|"
                                  "c4=c0|c5=c0", "-ar", "16000"]),
    "aiff-s16-11k": ("a.aiff", ["-ar", "11025"]),
    "au": ("a.au", ["-ar", "32000"]),
    "flac-s24-44k1": ("a.flac", ["-ar", "44100", "-sample_fmt", "s32"]),
    "ogg-vorbis-44k1": ("a.ogg", ["-c:a", "libvorbis", "-ar", "44100"]),
    "ogg-opus": ("a.opus", ["-c:a", "libopus", "-b:a", "32k"]),
    "mp3-44k1-stereo": ("a.mp3", ["-c:a", "libmp3lame", "-ar", "44100",
                                  "-ac", "2"]),
    "m4a-through-ffmpeg": ("a.m4a", ["-c:a", "aac", "-b:a", "96k"]),
    "webm-through-ffmpeg": ("a.webm", ["-c:a", "libopus", "-b:a", "64k"]),
    "wma-through-ffmpeg": ("a.wma", ["-b:a", "96k"]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_recording_comes_out_the_same(name, voice, tmp_path):
    file_name, args = FORMATS[name]
    source, out = tmp_path / file_name, tmp_path / "a.loaframes"
    ffmpeg("-i", voice, *args, source)
    run = Run("audio", source, out)
    done, frames = run.done(), Frames(out)
    assert Run("export", out, tmp_path / "e.opus").code == 0
    subprocess.run(["opusdec", "--quiet", tmp_path / "e.opus",
                    tmp_path / "d.wav"], check=True)
    want, got = loa_sound.pcm(source), loa_sound.pcm(tmp_path / "d.wav")

    value, lag = loa_sound.correlation(want, got)
    assert value >= 0.9, (value, lag)
    assert abs(lag) <= 48, lag  # 1 ms: the pre-skip is right.
    assert abs(len(got) - len(want)) <= FRAME_SAMPLES
    assert len(got) == frames.samples
    lufs, peak_dbtp = loa_sound.loudness(tmp_path / "d.wav")
    assert abs(lufs + 23) <= 0.7 and peak_dbtp <= -0.7

    assert frames.hash() == done["hash"]
    assert len(frames.frames) == int(done["frames"])
    assert os.path.getsize(out) == int(done["bytes"])
    assert frames.pre_skip == int(done["pre_skip"])
    assert frames.samples * 1000 // RATE_HZ == int(done["duration_ms"])
    assert abs(float(done["lufs"]) - lufs) <= 0.3
    assert done["truncated"] == "0" and run.notes() == []
    steps = run.progress()
    assert steps == sorted(set(steps)) and steps[-1] == 1000


def test_same_input_same_bytes(voice, tmp_path):
    source = tmp_path / "a.flac"
    ffmpeg("-i", voice, "-ar", "44100", source)
    for name in ("1", "2"):
        Run("audio", source, tmp_path / name).done()
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_bitrate_and_loudness_options(voice, tmp_path):
    out = tmp_path / "a.loaframes"
    done = Run("audio", voice, out, "--bitrate", "48000", "--lufs=-16",
               "--true-peak", "-2").done()
    assert abs(float(done["lufs"]) + 16) <= 0.5
    assert float(done["peak_dbtp"]) <= -1.9
    shown = json.loads(Run("show", out, "--json").stdout)
    assert 40000 <= shown["bitrate"] <= 52000


# --- loudness of difficult material -------------------------------------------

def clicks():
    rng = np.random.default_rng(7)
    sound = rng.normal(0, 0.001, 12 * RATE_HZ)
    sound[::4800] = 0.98
    return sound


def square():
    t = np.arange(6 * RATE_HZ)
    return np.where(t // 54 % 2, 1.0, -1.0)


def between_samples():
    """Peaks 3 dB above every sample."""
    t = np.arange(6 * RATE_HZ)
    return 0.99 * np.sin(np.pi / 2 * t + np.pi / 4)


@pytest.mark.parametrize("make", [clicks, square, between_samples])
def test_true_peak_stays_under_its_ceiling(make, tmp_path):
    loa_sound.wav_write(tmp_path / "a.wav", make())
    out = tmp_path / "a.loaframes"
    Run("audio", tmp_path / "a.wav", out, "--lufs", "-10").done()
    Run("export", out, tmp_path / "a.opus")
    assert loa_sound.loudness(tmp_path / "a.opus")[1] <= -0.7


def test_silence_is_said_and_stays_silent(tmp_path):
    loa_sound.wav_write(tmp_path / "a.wav", np.zeros(3 * RATE_HZ))
    run = Run("audio", tmp_path / "a.wav", tmp_path / "a.loaframes")
    assert run.done()["lufs"] == "-inf" and run.done()["gain_db"] == "0.0"
    assert run.notes() == ["unmeasured"]
    Run("export", tmp_path / "a.loaframes", tmp_path / "a.opus")
    assert np.abs(loa_sound.pcm(tmp_path / "a.opus")).max() < 1e-4


def test_hiss_is_not_blown_up(tmp_path):
    rng = np.random.default_rng(1)
    loa_sound.wav_write(tmp_path / "a.wav", rng.normal(0, 0.0006, 5 * RATE_HZ))
    run = Run("audio", tmp_path / "a.wav", tmp_path / "a.loaframes")
    assert run.done()["gain_db"] == "30.0"
    assert run.notes() == ["gain_capped"]


def test_a_chime_too_short_to_measure(tmp_path):
    t = np.arange(int(0.25 * RATE_HZ))
    loa_sound.wav_write(tmp_path / "a.wav", 0.2 * np.sin(t * 0.1))
    run = Run("audio", tmp_path / "a.wav", tmp_path / "a.loaframes")
    assert run.notes() == ["unmeasured"]
    assert run.done()["duration_ms"] == "250"


def test_float_file_with_no_numbers_and_huge_ones(tmp_path):
    samples = np.full(2 * RATE_HZ, 0.1, "<f4") * np.sin(
        np.arange(2 * RATE_HZ) * 0.05).astype("<f4")
    samples[1000] = np.nan
    samples[2000] = np.inf
    path = tmp_path / "a.wav"
    body = samples.tobytes()
    path.write_bytes(b"RIFF" + struct.pack("<I", 36 + len(body)) + b"WAVEfmt "
                     + struct.pack("<IHHIIHH", 16, 3, 1, RATE_HZ, RATE_HZ * 4,
                                   4, 32)
                     + b"data" + struct.pack("<I", len(body)) + body)
    done = Run("audio", path, tmp_path / "a.loaframes").done()
    assert abs(float(done["lufs"]) + 23) <= 0.5


# --- text ---------------------------------------------------------------------

@pytest.mark.parametrize("language", ["vi", "vi-central", "vi-south", "en"])
def test_text_becomes_speech(language, tmp_path):
    source, out = text_file(tmp_path, VIETNAMESE), tmp_path / "a.loaframes"
    done = Run("text", source, out, "--language", language).done()
    Run("export", out, tmp_path / "a.opus")
    sound = loa_sound.pcm(tmp_path / "a.opus")
    lufs, peak_dbtp = loa_sound.loudness(tmp_path / "a.opus")

    assert abs(lufs + 23) <= 0.7 and peak_dbtp <= -0.7
    if language != "en":  # 41 syllables at 150 a minute, and pauses.
        assert 10_000 <= int(done["duration_ms"]) <= 25_000
    # Speech: its power lies below 4 kHz and swells with each syllable.
    power = np.abs(np.fft.rfft(sound)) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / RATE_HZ)
    assert power[(hz > 80) & (hz < 4000)].sum() > 0.9 * power.sum()
    blocks = sound[:len(sound) // 480 * 480].reshape(-1, 480)
    level = np.sqrt((blocks ** 2).mean(axis=1))
    swing = np.abs(np.fft.rfft(level - level.mean())) ** 2
    swing_hz = np.fft.rfftfreq(len(level), 0.01)
    syllables = swing[(swing_hz > 1) & (swing_hz < 10)].sum()
    assert syllables > 0.4 * swing[swing_hz > 0.1].sum()
    # The paragraph's pause is there: 0.8 s without sound.
    quiet = "".join("1" if x < 0.001 else "0" for x in level)
    assert "1" * 75 in quiet


def spoken(tmp_path, text, *options, language="vi"):
    """The content hash of a text: what is said alike has the same."""
    source = text_file(tmp_path, text)
    return Run("text", source, tmp_path / "s.loaframes", "--language", language,
               *options).done()["hash"]


def test_voices_differ_and_repeat_themselves(tmp_path):
    languages = ["vi", "vi-central", "vi-south", "en"]
    first = [spoken(tmp_path, VIETNAMESE, language=x) for x in languages]
    again = [spoken(tmp_path, VIETNAMESE, language=x) for x in languages]
    assert first == again and len(set(first)) == 4


def test_tones_and_words_are_heard(tmp_path):
    words = ["ma", "má", "mà", "mả", "mã", "mạ", "mưa", "mười"]
    assert len({spoken(tmp_path, word) for word in words}) == len(words)


def test_decomposed_text_says_the_same(tmp_path):
    composed = "Uỷ ban xã Mỹ Đức, Hà Nội"
    decomposed = ("U\u0309 y ban xa\u0303 My\u0303 Đư\u0301c, "
                  "Ha\u0300 No\u0323\u0302i").replace("U\u0309 y", "Uy\u0309")
    assert decomposed != composed
    assert spoken(tmp_path, composed) == spoken(tmp_path, decomposed)
    assert spoken(tmp_path, composed) == spoken(
        tmp_path, "\ufeff" + composed.replace("xã ", "xã\r\n\t").replace(
            "\r\n\tM", "\u00a0M"))


def test_dictionary_says_abbreviations(tmp_path):
    with_dictionary = spoken(
        tmp_path, "UBND TP.HCM, 8h30, 5km, số 12/QĐ-UBND, UBNDX.",
        "--dictionary", DICTIONARY)
    spelled_out = spoken(
        tmp_path, "Uỷ ban nhân dân thành phố Hồ Chí Minh, 8 giờ 30, 5 ki lô "
        "mét, số 12/quyết định-Uỷ ban nhân dân, UBNDX.")
    without = spoken(
        tmp_path, "UBND TP.HCM, 8h30, 5km, số 12/QĐ-UBND, UBNDX.")
    assert with_dictionary == spelled_out != without


def test_shipped_dictionary_is_large_enough():
    with open(DICTIONARY, encoding="utf-8") as f:
        entries = [line for line in f if "\t" in line and line[0] != "#"]
    assert len(entries) >= 40


def test_rate_changes_the_length(tmp_path):
    source, length_ms = text_file(tmp_path, VIETNAMESE), []
    for rate in ("100", "150", "250"):
        length_ms.append(int(Run(
            "text", source, tmp_path / "a", "--language", "vi", "--rate",
            rate).done()["duration_ms"]))
    assert length_ms[0] > 1.2 * length_ms[1] > 1.44 * length_ms[2]


def test_markup_is_only_text(tmp_path):
    """No SSML, no phonemes, no files named by the text."""
    assert spoken(tmp_path, '<audio src="/etc/passwd">một</audio> hai') != \
        spoken(tmp_path, "một hai")
    assert spoken(tmp_path, "[[mo:t]]") != spoken(tmp_path, "một")


# --- export and show ----------------------------------------------------------

def test_export_is_a_proper_ogg_opus_file(voice_frames, tmp_path):
    out, frames = tmp_path / "a.opus", Frames(voice_frames)
    assert Run("export", voice_frames, out, "--title", "Bản tin sáng",
               "--artist", "Đài truyền thanh xã", "--date",
               "2024-11-21").code == 0
    packets, granule = loa_sound.ogg_packets(out)
    assert packets[2:] == frames.frames  # Nothing was encoded again.
    assert granule == frames.samples + frames.pre_skip
    assert packets[0] == (b"OpusHead\1\1"
                          + struct.pack("<HIhB", frames.pre_skip, RATE_HZ, 0,
                                        0))

    info = subprocess.run(["opusinfo", out], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True).stdout
    assert "TITLE=Bản tin sáng" in info
    assert "ARTIST=Đài truyền thanh xã" in info
    assert not re.search("WARNING|ERROR|hole|corrupt", info, re.I), info
    probe = json.loads(subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", "-show_streams",
         "-show_format", out], check=True, stdout=subprocess.PIPE).stdout)
    assert probe["streams"][0]["tags"]["TITLE"] == "Bản tin sáng"
    assert abs(float(probe["format"]["duration"])
               - (frames.samples + frames.pre_skip) / RATE_HZ) < 0.001
    assert len(loa_sound.pcm(out)) == frames.samples


def test_export_of_the_longest_content(tmp_path):
    """5 h at 32 kbit/s: 72 MB."""
    n = 18000 * 50
    header = struct.pack(">6sHIBBHII", b"LOAF1\0", 1, RATE_HZ, 1, 20, 0, n,
                         n * FRAME_SAMPLES)
    with open(tmp_path / "a", "wb") as f:
        f.write(header + (struct.pack(">H", 80) + b"\x78" * 80) * n)
    assert Run("export", tmp_path / "a", tmp_path / "a.opus").code == 0
    assert os.path.getsize(tmp_path / "a.opus") > n * 80


def test_show(voice_frames):
    frames = Frames(voice_frames)
    shown = json.loads(Run("show", voice_frames, "--json").stdout)
    assert shown["hash"] == frames.hash()
    assert shown["frames"] == len(frames.frames)
    assert shown["duration_samples"] == frames.samples
    assert frames.hash() in Run("show", voice_frames).stdout


@pytest.mark.parametrize("command", ["show", "export"])
@pytest.mark.parametrize("harm", ["cut", "longer", "one byte", "other"])
def test_damaged_frames_are_refused(command, harm, voice_frames, voice,
                                    tmp_path):
    data = voice_frames.read_bytes()
    bad = tmp_path / "bad"
    bad.write_bytes({"cut": data[:-1], "longer": data + b"\0",
                     "one byte": data[:24] + b"\xff" + data[25:],
                     "other": open(voice, "rb").read()}[harm])
    args = [bad] if command == "show" else [bad, tmp_path / "out.opus"]
    refused(tmp_path, NOT_FRAMES, "damaged|no frames file", command, *args)
