"""Recordings and texts that loa-encode does not take: each has its exit code and
one sentence."""
import os
import random
import struct
import time

import pytest

import loa_sound
from loa_encode import (DICTIONARY_BAD, EMPTY, NO_SOUND, NO_VOICE, NOT_AUDIO,
                        TEXT_BAD, TEXT_EMPTY, TEXT_LONG, TOO_LONG, TRUNCATED,
                        VIETNAMESE, Run, address_limit, ffmpeg,
                        peak_memory_kb, refused, text_file)
from loa_encode import voice  # noqa: F401
from loa_sound import RATE_HZ


# --- recordings ---------------------------------------------------------------

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


# --- texts --------------------------------------------------------------------

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
