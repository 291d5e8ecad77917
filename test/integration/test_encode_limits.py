"""loa-encode where files, disk, memory or time are not there, and with wrong
command lines."""
import os
import re
import resource
import signal
import subprocess

import numpy as np
import pytest

import loa_sound
from loa_encode import (CPU_LIMIT, ENCODE, LIMIT_S, NO_MEMORY, NO_ROOM,
                        NOT_AUDIO, SANITIZED, UNREADABLE, UNWRITABLE, USAGE,
                        VIETNAMESE, Run, address_limit, refused, text_file)
from loa_encode import voice, voice_frames  # noqa: F401
from loa_sound import Frames


# --- files, disk, limits ------------------------------------------------------

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
