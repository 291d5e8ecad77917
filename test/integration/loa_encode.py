"""Running loa-encode for tests: what it says, what it refuses, its exit codes.

    from loa_encode import Run, refused, voice
    Run("audio", voice, out).done()     # -> {"hash": ..., ...}
    refused(tmp_path, NO_ROOM, "disk", "audio", voice, out)
"""
import os
import re
import resource
import subprocess

import pytest

import loa_sound

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


def address_limit(mb):
    size = int(mb * (1 << 20))

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    return {} if SANITIZED else {"preexec_fn": limit}


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
