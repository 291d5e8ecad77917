"""loa-encode from outside: real recordings and texts in, sound out that other
programs decode and measure; and every refusal, with its exit code."""
import json
import os
import random
import re
import resource
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import loa_sound  # noqa: E402
from loa_sound import FRAME_SAMPLES, RATE_HZ, Frames  # noqa: E402

ROOT_DIR = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.join(ROOT_DIR, os.environ.get("LOA_BUILD", "build/plain"))
ENCODE = os.path.join(BUILD, "loa-encode")
DICTIONARY = os.path.join(ROOT_DIR, "services/encode/dictionary-vi.tsv")
SANITIZED = "address" in BUILD  # Its shadow memory fits under no limit.
LIMIT_S = 120

UNREADABLE, EMPTY, NOT_AUDIO, TRUNCATED, NO_SOUND, TOO_LONG = range(10, 16)
TEXT_BAD, TEXT_EMPTY, TEXT_LONG, DICTIONARY_BAD, NO_ROOM = range(16, 21)
NO_MEMORY, CPU_LIMIT, NOT_FRAMES, UNWRITABLE, NO_VOICE = range(21, 26)
USAGE = 2

VIETNAMESE = ("Kính thưa bà con! Uỷ ban nhân dân xã thông báo: sáng mai, lúc "
              "bảy giờ ba mươi phút, trạm y tế xã tổ chức tiêm chủng mở rộng "
              "cho trẻ em dưới một tuổi.\n\nTrân trọng cảm ơn.")


# --- running it ---------------------------------------------------------------

class Run:
    def __init__(self, *args, **options):
        self.process = subprocess.Popen(
            [ENCODE, *map(str, args)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            **options)
        self.stdout, self.stderr = self.process.communicate(timeout=LIMIT_S)
        self.code = self.process.returncode
        self.lines = self.stdout.splitlines()

    def done(self):
        assert self.code == 0, self.stderr
        assert self.lines[-1].startswith("done "), self.stdout
        return dict(word.split("=", 1) for word in self.lines[-1].split()[1:])

    def notes(self):
        return [re.match(r"note code=(\w+) text=\S", line).group(1)
                for line in self.lines if line.startswith("note ")]

    def progress(self):
        return [int(line.split()[1]) for line in self.lines
                if line.startswith("progress ")]


def peak_memory_kb(*args):
    """The largest resident size while it runs, read near its end. (What wait4
    tells includes the memory of this Python before the exec.)"""
    process = subprocess.Popen([ENCODE, *map(str, args)],
                               stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, text=True)
    peak = None
    for line in process.stdout:
        if line == "progress 750\n":
            with open(f"/proc/{process.pid}/status") as f:
                peak = int(re.search(r"VmHWM:\s+(\d+) kB", f.read()).group(1))
    assert process.wait(LIMIT_S) == 0
    return peak


def refused(tmp_path, code, words, *args, **options):
    """It must end with this code and one sentence, and leave nothing."""
    before = set(os.listdir(tmp_path))
    run = Run(*args, **options)
    assert run.code == code, (run.code, run.stderr, run.stdout[-300:])
    assert run.stderr.count("\n") == 1 and run.stderr.endswith("\n")
    assert re.search(words, run.stderr), run.stderr
    assert "done" not in run.stdout
    assert set(os.listdir(tmp_path)) == before
    return run


def ffmpeg(*args):
    subprocess.run(["ffmpeg", "-nostdin", "-y", "-v", "error",
                    *map(str, args)], check=True)


def text_file(tmp_path, text, name="text.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture(scope="session")
def voice(tmp_path_factory):
    return loa_sound.voice(str(tmp_path_factory.mktemp("voice") / "voice.wav"))


@pytest.fixture(scope="session")
def voice_frames(voice, tmp_path_factory):
    out = tmp_path_factory.mktemp("frames") / "voice.loaframes"
    Run("audio", voice, out).done()
    return out


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


# --- refusals: recordings -----------------------------------------------------

CUT = {
    "wav": ("a.wav", [], "promises"),
    "wav-f32-44k1": ("a.wav", ["-c:a", "pcm_f32le", "-ar", "44100"],
                     "promises"),
    "aiff": ("a.aiff", [], "promises"),
    "au": ("a.au", [], "promises"),
    "flac": ("a.flac", [], "of 11.4 s"),
    "ogg": ("a.ogg", ["-c:a", "libvorbis"], "last page"),
    "opus": ("a.opus", ["-c:a", "libopus"], "last page"),
    "mp3": ("a.mp3", ["-c:a", "libmp3lame"], "of 11.4 s"),
    "webm": ("a.webm", ["-c:a", "libopus"], "promises"),
    "m4a": ("a.m4a", ["-c:a", "aac", "-movflags", "+faststart"],
            "damaged after"),
}


@pytest.mark.parametrize("name", CUT)
def test_a_cut_off_recording(name, voice, tmp_path):
    file_name, args, words = CUT[name]
    whole, cut = tmp_path / ("whole-" + file_name), tmp_path / file_name
    ffmpeg("-i", voice, *args, whole)
    data = whole.read_bytes()
    cut.write_bytes(data[:len(data) * 6 // 10])
    refused(tmp_path, TRUNCATED, words + ".*--accept-truncated", "audio", cut,
            tmp_path / "out")

    run = Run("audio", cut, tmp_path / "out", "--accept-truncated")
    assert run.done()["truncated"] == "1" and run.notes() == ["truncated"]
    # Six tenths of the bytes are about as much of the sound.
    assert 5500 <= int(run.done()["duration_ms"]) <= 7500


def test_a_damaged_flac(voice, tmp_path):
    path = tmp_path / "a.flac"
    ffmpeg("-i", voice, path)
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 4000):
        data[at] ^= 0x5a
    path.write_bytes(data)
    run = Run("audio", path, tmp_path / "out")
    assert run.code == TRUNCATED, (run.code, run.stdout[-200:])


def wav_header(data_bytes, rate_hz=RATE_HZ, channels=1):
    return (b"RIFF" + struct.pack("<I", min(36 + data_bytes, 0xffffffff))
            + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, channels, rate_hz,
                                        rate_hz * 2 * channels, 2 * channels,
                                        16)
            + b"data" + struct.pack("<I", data_bytes))


def not_audio(kind):
    rng = random.Random(kind)
    return {
        "random": rng.randbytes(300_000),
        "text": VIETNAMESE.encode() * 50,
        "zeros": bytes(100_000),
        "one byte": b"R",
        "picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + rng.randbytes(5000),
        "playlist": b"#EXTM3U\n#EXTINF:1,\nvoice.wav\n",
        "concat": b"ffconcat version 1.0\nfile voice.wav\n",
        "WAV header of nonsense": b"RIFF\xff\xff\xff\x7fWAVEfmt " +
                                  b"\xff" * 4000,
        "half a WAV header": wav_header(1000)[:30],
        "1000 channels": wav_header(96000, channels=1000) + bytes(96000),
        "1 sample a second": wav_header(96000, rate_hz=1) + bytes(96000),
    }[kind]


@pytest.mark.parametrize("kind", [
    "random", "text", "zeros", "one byte", "picture", "playlist", "concat",
    "WAV header of nonsense", "half a WAV header", "1000 channels",
    "1 sample a second"])
def test_what_is_no_recording(kind, voice, tmp_path):
    # What a playlist names is there: it must not be opened all the same.
    (tmp_path / "voice.wav").write_bytes(open(voice, "rb").read())
    path = tmp_path / "a.bin"
    path.write_bytes(not_audio(kind))
    refused(tmp_path, NOT_AUDIO, "a.bin: it", "audio", path, tmp_path / "out")


def test_empty_file(tmp_path):
    text_file(tmp_path, b"", "a.wav")
    refused(tmp_path, EMPTY, "0 bytes", "audio", tmp_path / "a.wav",
            tmp_path / "out")
    refused(tmp_path, EMPTY, "0 bytes", "text", tmp_path / "a.wav",
            tmp_path / "out", "--language", "vi")


def test_no_sound_in_it(tmp_path):
    text_file(tmp_path, wav_header(0), "a.wav")
    refused(tmp_path, NO_SOUND, "0 s of sound", "audio", tmp_path / "a.wav",
            tmp_path / "out")


def test_a_film_without_sound(tmp_path):
    ffmpeg("-f", "lavfi", "-i", "color=duration=1:size=64x64:rate=5", "-c:v",
           "mpeg4", tmp_path / "a.mp4")
    refused(tmp_path, NOT_AUDIO, "not a recording", "audio",
            tmp_path / "a.mp4", tmp_path / "out")


@pytest.mark.parametrize("name", ["a.wav", "a.m4a", "a.mp3"])
def test_too_long(name, voice, tmp_path):
    ffmpeg("-i", voice, tmp_path / name)
    refused(tmp_path, TOO_LONG, r"10 s.*--duration-max-s", "audio",
            tmp_path / name, tmp_path / "out", "--duration-max-s", "10")
    Run("audio", tmp_path / name, tmp_path / "out", "--duration-max-s",
        "12").done()


def test_text_too_long_to_say(tmp_path):
    source = text_file(tmp_path, VIETNAMESE * 3)
    refused(tmp_path, TOO_LONG, "longer than 10 s", "text", source,
            tmp_path / "out", "--language", "vi", "--duration-max-s", "10")


def test_five_hours(tmp_path):
    path = tmp_path / "a.wav"
    size = 5 * 3600 * RATE_HZ * 2
    path.write_bytes(wav_header(size))
    os.truncate(path, 44 + size)
    refused(tmp_path, TOO_LONG, "18000 s long, over the limit of 7200 s",
            "audio", path, tmp_path / "out")


TWO_GIGABYTES = {
    "zeros": (b"", NOT_AUDIO),
    "wav": (wav_header(0x7fffef00), TOO_LONG),
    "flac": (b"fLaC\0\0\0\x22" + bytes(34), NOT_AUDIO),
    "ogg": (b"OggS\0\2" + bytes(21) + b"\1\x1e\1vorbis" + bytes(23),
            TRUNCATED),
    "mp3": (b"ID3\3\0\0\0\0\0\0\xff\xfb\x90\x64", NOT_AUDIO),
    "webm": (bytes.fromhex("1a45dfa3") + b"\x84", NOT_AUDIO),
    "m4a": (b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42isom", NOT_AUDIO),
}


@pytest.mark.parametrize("name", TWO_GIGABYTES)
def test_two_gigabytes_of_nothing(name, tmp_path):
    """Refused at once, and with a quarter of that as address space."""
    head, code = TWO_GIGABYTES[name]
    path = tmp_path / "a.bin"
    path.write_bytes(head)
    os.truncate(path, 2 << 30)
    start = time.monotonic()
    refused(tmp_path, code, "a.bin: it", "audio", path, tmp_path / "out",
            **address_limit(512))
    assert time.monotonic() - start < 20


def test_memory_does_not_grow_with_length(voice, tmp_path):
    loa_sound.voice(str(tmp_path / "long.wav"), times=16)
    long_kb = peak_memory_kb("audio", tmp_path / "long.wav", tmp_path / "out")
    assert os.path.getsize(tmp_path / "out") > 400_000
    short_kb = peak_memory_kb("audio", voice, tmp_path / "out")
    assert long_kb - short_kb < 2000, (long_kb, short_kb)


def test_without_ffmpeg(voice, tmp_path):
    ffmpeg("-i", voice, tmp_path / "a.m4a")
    refused(tmp_path, NOT_AUDIO, "ffmpeg.*not installed", "audio",
            tmp_path / "a.m4a", tmp_path / "out", env={"PATH": "/nonexistent"})


def test_strange_names(voice, tmp_path):
    """Names that an option parser or a protocol could take for its own."""
    for name in ["-i bản tin.m4a", "http:x.m4a", "a%03d.m4a", "a|b.m4a"]:
        ffmpeg("-i", voice, tmp_path / "a.m4a")
        os.rename(tmp_path / "a.m4a", tmp_path / name)
        run = Run("audio", "./" + name, "out", cwd=tmp_path)
        assert run.done()["truncated"] == "0"
        run = Run("audio", "--", name, "out", cwd=tmp_path)
        assert run.done()["truncated"] == "0"


# --- refusals: texts ----------------------------------------------------------

BAD_TEXTS = {
    "invalid": (b"Xin ch\xe0o b\xe0 con", TEXT_BAD, r"byte 6 \(0xe0\)"),
    "cut off": ("bà con".encode()[:2], TEXT_BAD, "byte 1 "),
    "overlong": (b"ab\xc0\xaf", TEXT_BAD, "byte 2 "),
    "UTF-16": ("Xin chào".encode("utf-16"), TEXT_BAD, "byte 0 "),
    "UTF-16 without a mark": ("Xin".encode("utf-16-le"), TEXT_BAD, "byte 1 "),
    "only space": (b" \r\n\t\n", TEXT_EMPTY, "nothing to say"),
    "only punctuation": ("... — !".encode(), TEXT_EMPTY, "nothing to say"),
    "a byte order mark": (b"\xef\xbb\xbf", TEXT_EMPTY, "nothing to say"),
    "1 MB": ("bà con ".encode() * 120_000, TEXT_LONG, "over the limit of 655"),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_text_refused(name, tmp_path):
    text, code, words = BAD_TEXTS[name]
    source = text_file(tmp_path, text)
    refused(tmp_path, code, words, "text", source, tmp_path / "out",
            "--language", "vi")


def test_text_at_its_limit(tmp_path):
    source = text_file(tmp_path, "a" * 100)
    Run("text", source, tmp_path / "out", "--language", "vi",
        "--text-max-bytes", "100").done()
    refused(tmp_path, TEXT_LONG, "has 100 bytes.*limit of 99", "text", source,
            tmp_path / "out", "--language", "vi", "--text-max-bytes", "99")


@pytest.mark.parametrize("dictionary,words", [
    (b"UBND\tA\nUBND\tB\n", "line 2"),
    (b"UBND\n", "line 1"),
    (b"UBND\t\xff\n", "byte 5"),
    (None, "cannot be opened"),
])
def test_bad_dictionary(dictionary, words, tmp_path):
    source, path = text_file(tmp_path, "UBND"), tmp_path / "d.tsv"
    if dictionary is not None:
        path.write_bytes(dictionary)
    refused(tmp_path, DICTIONARY_BAD, "d.tsv.*" + words, "text", source,
            tmp_path / "out", "--language", "vi", "--dictionary", path)


def test_dictionary_that_grows_without_end(tmp_path):
    source = text_file(tmp_path, "x " * 10_000)
    path = text_file(tmp_path, "x\t" + "dài " * 40 + "\n", "d.tsv")
    refused(tmp_path, TEXT_LONG, "8 times", "text", source, tmp_path / "out",
            "--language", "vi", "--dictionary", path)


def test_unknown_language(tmp_path):
    source = text_file(tmp_path, "một")
    refused(tmp_path, NO_VOICE, "vi-south", "text", source, tmp_path / "out",
            "--language", "tlh")


# --- refusals: files, disk, limits --------------------------------------------

def test_unreadable(voice, tmp_path):
    out = tmp_path / "out"
    refused(tmp_path, UNREADABLE, "No such file", "audio", tmp_path / "none",
            out)
    refused(tmp_path, UNREADABLE, "no regular file", "audio", tmp_path, out)
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path, UNREADABLE, "no regular file", "audio",
            tmp_path / "pipe", out)
    secret = text_file(tmp_path, b"x", "secret")
    secret.chmod(0)
    user = {"user": 65534} if os.geteuid() == 0 else {}
    refused(tmp_path, UNREADABLE, "Permission denied", "audio", secret, out,
            **user)


def test_output_cannot_be_there(voice, tmp_path):
    refused(tmp_path, UNWRITABLE, "No such file", "audio", voice,
            tmp_path / "no" / "out")
    (tmp_path / "folder").mkdir()
    refused(tmp_path, UNWRITABLE, "no regular file", "audio", voice,
            tmp_path / "folder")
    refused(tmp_path, UNWRITABLE, "the input itself", "audio", voice, voice)


def test_an_old_output_survives_a_refusal(voice, tmp_path):
    out = text_file(tmp_path, b"old", "out")
    refused(tmp_path, NOT_AUDIO, "not a recording", "audio", out,
            tmp_path / "out2")
    refused(tmp_path, NO_ROOM, "limit", "audio", voice, out,
            preexec_fn=file_limit)
    assert out.read_bytes() == b"old"
    Run("audio", voice, out).done()
    assert len(Frames(out).frames) > 500


def address_limit(mb):
    size = int(mb * (1 << 20))

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    return {} if SANITIZED else {"preexec_fn": limit}


def file_limit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))


@pytest.mark.parametrize("command", ["audio", "text", "export"])
def test_output_over_the_file_size_limit(command, voice, voice_frames,
                                         tmp_path):
    source = {"audio": voice, "text": text_file(tmp_path, VIETNAMESE),
              "export": voice_frames}[command]
    language = ["--language", "vi"] if command == "text" else []
    refused(tmp_path, NO_ROOM, "limit on the size", command, source,
            tmp_path / "out", *language, preexec_fn=file_limit)


@pytest.mark.parametrize("command", ["audio", "text", "export"])
def test_full_disk(command, voice, voice_frames, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    source = {"audio": voice, "text": text_file(tmp_path, VIETNAMESE),
              "export": voice_frames}[command]
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "loa-test",
                            small], stderr=subprocess.PIPE, text=True)
    if mount.returncode != 0:
        pytest.skip("a small disk cannot be mounted here: " + mount.stderr)
    try:
        language = ["--language", "vi"] if command == "text" else []
        refused(small, NO_ROOM, "disk is full", command, source,
                small / "out", *language)
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.skipif(SANITIZED, reason="the sanitizer needs terabytes")
def test_little_memory(voice, tmp_path):
    """With ever less memory it says so, or does it; it leaves nothing half."""
    seen = set()
    for mb in [64, 32, *np.arange(24, 8, -0.25)]:
        out = tmp_path / "out"
        run = Run("audio", voice, out, **address_limit(mb))
        seen.add(run.code)
        assert out.exists() == (run.code == 0), (mb, run.code, run.stderr)
        assert os.listdir(tmp_path) in ([], ["out"])
        if run.code == 0:
            out.unlink()
        elif run.code == 127:
            break  # The libraries themselves do not fit.
        else:
            assert "ut of memory" in run.stderr, (mb, run.code, run.stderr)
    assert 0 in seen and NO_MEMORY in seen


def test_processor_time_limit(voice, tmp_path):
    """A file that eats processor time is given up, with a sentence."""
    loa_sound.voice(str(tmp_path / "long.wav"), times=30)

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (1, 3))
    refused(tmp_path, CPU_LIMIT, "CPU time", "audio", tmp_path / "long.wav",
            tmp_path / "out", preexec_fn=limit)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_stopped_in_the_middle(signum, voice, tmp_path):
    loa_sound.voice(str(tmp_path / "long.wav"), times=20)
    process = subprocess.Popen(
        [ENCODE, "audio", tmp_path / "long.wav", tmp_path / "out"],
        stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line == "progress 400\n":
            break
    assert (tmp_path / "out.tmp").exists()
    process.send_signal(signum)
    process.stdout.close()
    assert process.wait(LIMIT_S) == -signum
    assert os.listdir(tmp_path) == ["long.wav"]


def test_parent_that_stops_listening(voice, tmp_path):
    loa_sound.voice(str(tmp_path / "long.wav"), times=20)
    process = subprocess.Popen(
        [ENCODE, "audio", tmp_path / "long.wav", tmp_path / "out"],
        stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(LIMIT_S) == -signal.SIGPIPE
    assert os.listdir(tmp_path) == ["long.wav"]


@pytest.mark.parametrize("args,words", [
    ([], "no command"),
    (["fly"], "fly: no such command"),
    (["audio"], "IN is missing"),
    (["audio", "in"], "OUT is missing"),
    (["audio", "in", "out", "more"], "more: one file too many"),
    (["audio", "in", "out", "--loud"], "--loud: no such option"),
    (["audio", "in", "out", "--rate", "90"], "--rate: no such option"),
    (["audio", "in", "out", "--bitrate"], "value is missing"),
    (["audio", "in", "out", "--bitrate", "24k"], "from 6000 to 128000"),
    (["audio", "in", "out", "--lufs", "nan"], "from -40 to -10"),
    (["audio", "in", "out", "--duration-max-s", "18001"], "from 1 to 18000"),
    (["text", "in", "out"], "--language is missing"),
    (["export", "in", "out", "--title", b"\xff"], "not UTF-8"),
])
def test_wrong_command_lines(args, words, tmp_path):
    run = subprocess.run([ENCODE, *args], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert run.returncode == USAGE, run.stderr
    assert re.search(words, run.stderr) and run.stderr.count("\n") == 1
    assert run.stdout == "" and os.listdir(tmp_path) == []


def test_help_names_every_option():
    run = Run("--help")
    assert run.code == 0
    for option in ["--bitrate", "--lufs", "--true-peak", "--duration-max-s",
                   "--accept-truncated", "--language", "--dictionary",
                   "--rate", "--text-max-bytes", "--title", "--json",
                   "Example"]:
        assert option in run.stdout
