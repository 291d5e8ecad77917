"""What `make run` and `make demo` say and do when somebody is revoked."""
import os
import shutil
import subprocess
import sys

import pytest

from loa_broker import PATIENCE
from province import BUILD, LIMIT_S, TOP, Province
from demo import make_known  # province.py knows where it is.
from stack import SERVICES, STAFF, Stack

VOICE = "/usr/share/sounds/alsa/Front_Center.wav"
KNOWN = [s[2] for s in SERVICES] + [s[0] for s in STAFF]


def demo(p, *args):
    return subprocess.run(
        [sys.executable, os.path.join(TOP, "deploy/local/demo.py"), "--var",
         p.var, "--port", str(p.port), "--build", BUILD, *args], text=True,
        capture_output=True, check=False, env=dict(os.environ, LOA_LANG="en"))


def left_by(change):
    """The folder of a stack with six loudspeakers and its people, which ended
    after change(stack)."""
    os.environ["LOA_KEEP"] = "1"
    try:
        with Province() as p:
            p.import_areas()
            for principal in KNOWN:
                make_known(p, principal)
            first, second = p.communes()[:2]
            p.speak_up({f"loa_{n}": first if n < 4 else second
                        for n in range(1, 7)})
            change(p)
    finally:
        del os.environ["LOA_KEEP"]
    return p


def test_a_revoked_loudspeaker_kept_the_stack_from_starting():
    """It is named, the others speak in the commune that still has some, and
    what the sentence says brings it back."""
    out = ("loa_1", "loa_2", "loa_3", "loa_6")

    def revoke(p):
        for device in out:
            p.loactl("admin", "device", "revoke", device)
    p = left_by(revoke)
    done = demo(p, "--audio", VOICE, "--text", "Xin chào bà con.")
    assert done.returncode == 0, done.stdout + done.stderr
    for device in out:
        assert f"• {device} is revoked and stays down: to have it back, move " \
            f"{p.path('speakers', device)} away" in done.stdout
    assert f"→ {p.communes()[1]}, at" in done.stdout, done.stdout
    assert "• Every start plays two sample bulletins in " \
        f"{p.communes()[1]}, also on a stack in use\n• Lan hands in" in \
        done.stdout
    os.rename(p.path("speakers", "loa_6"), p.path("loa_6.old"))
    with Stack(p.var, p.port, BUILD) as q:
        q.add_speaker("loa_6", p.communes()[1])
        log = q.processes["speaker-loa_6"].last_line
        q.wait(lambda: "event=mqtt.connected" in log()
               and "client=loa_6 " in log(), LIMIT_S * PATIENCE, "speaker")
    shutil.rmtree(p.folder)


@pytest.mark.parametrize("setting, typed, says", [
    ("PORT", "abc", "PORT=abc: want a number from 1024 to 65500"),
    ("PORT", "80", "PORT=80: want a number from 1024 to 65500"),
    ("AUDIO", "nix.wav", "AUDIO=nix.wav: there is no such file"),
    ("TEXT", " ", "TEXT: the text is empty")])
def test_a_wrong_setting_was_answered_with_python_usage(tmp_path, setting,
                                                        typed, says):
    done = subprocess.run(
        [sys.executable, os.path.join(TOP, "deploy/local/demo.py"), "--var",
         str(tmp_path / "v")], text=True, capture_output=True, check=False,
        env=dict(os.environ, **{"LOA_DEMO_" + setting: typed}))
    assert (done.returncode, done.stderr) == (1, f"loa: {says}\n")


@pytest.mark.parametrize("who", ["admin", "scheduler"])
def test_a_stack_whose_admin_is_revoked_did_not_say_what_to_do(who):
    p = left_by(lambda p: p.loactl("admin", "principal", "revoke", who,
                                   "--yes", check=False))
    done = demo(p)
    assert (done.returncode, done.stderr) == (
        1, f"loa: {who} is revoked: move {p.key(who)} away, and the next "
        "start makes a new key\n")
    os.rename(p.key(who), p.path("old.id"))
    with Stack(p.var, p.port, BUILD) as q:
        for principal in KNOWN:
            make_known(q, principal)
    shutil.rmtree(p.folder)
