"""What loactl says to a newcomer before anything is asked of a service."""
import os
import subprocess

import pytest

from loa_broker import BUILD
from loa_identity import DELEGATE, SCHEDULE, new_root


@pytest.fixture
def ctl(tmp_path):
    """loactl of an authority `admin`, with nobody at the other end: what is
    refused with 1 or 2 was refused here, 3 is that nobody answered."""
    who = tmp_path / "admin.id"
    root = new_root()
    root.authority("admin", "vn/08", powers=DELEGATE | SCHEDULE,
                   max_depth=1).save(who)
    root.staff("lan", "vn/08", powers=SCHEDULE).save(tmp_path / "lan.id")

    def run(*words, lang="en"):
        return subprocess.run(
            [os.path.join(BUILD, "loactl"), "--lang", lang, "--port", "1",
             "--identity", who, *map(str, words)],
            capture_output=True, text=True)
    return run


def refused(done, *words, code=1):
    assert done.returncode == code, (done.stdout, done.stderr)
    for w in words:
        assert w in done.stderr, done.stderr


@pytest.mark.parametrize("group", ["principal", "device"])
def test_one_revoked_oneself_unasked(ctl, group):
    refused(ctl(group, "revoke", "admin"), "is you", "--yes")
    refused(ctl(group, "revoke", "admin", lang="vi"), "chính bạn", "--yes")
    refused(ctl(group, "revoke", "admin", "--yes"), code=3)
    refused(ctl(group, "revoke", "lan"), code=3)


def test_an_unknown_option_was_the_empty_command(ctl):
    refused(ctl("--nix"), "no option --nix", code=2)
    refused(ctl("--json"), "a command is missing", code=2)
    refused(ctl("nix"), '"nix"', code=2)


def test_issue_was_refused_by_a_code_word(ctl, tmp_path):
    path = tmp_path / "moi.id"
    assert ctl("key", "new", path).returncode == 0
    issue = ["key", "issue", path, "--principal", "moi", "--role", "staff",
             "--area", "vn/08"]
    powers = ["--powers", "schedule,command,live"]
    done = ctl(*issue, *powers)
    refused(done, "has not the powers", "command", "live", "--identity")
    assert "schedule" not in done.stderr
    refused(ctl(*issue, *powers, lang="vi"), "không có quyền", "command")
    by_lan = ["--identity", tmp_path / "lan.id"]
    refused(ctl(*issue, *by_lan), "has not the power delegate", "--identity")
    refused(ctl(*issue, *by_lan, lang="vi"), "không có quyền delegate")
    refused(ctl(*issue, "--depth", "1"), "--depth must be less")
    refused(ctl(*issue[:-1], "vn/09"), "--area must lie in it")


def test_refusals_left_one_without_a_next_step(ctl, tmp_path):
    for command in (["device", "stop"], ["area", "ls"]):
        refused(ctl(*command, "vn/08/"), "such as vn/08", code=2)
        refused(ctl(*command, "vn/08/", lang="vi"), "ví dụ vn/08", code=2)
    other = tmp_path / "other.txt"
    other.write_text("x")
    other.chmod(0o600)
    for command in (["key", "show"], ["principal", "add"]):
        refused(ctl(*command, other), "loactl key new", code=2)
        refused(ctl(*command, other, lang="vi"), "không phải tệp danh tính",
                "loactl key new", code=2)


def test_a_sound_was_a_csv_with_a_quote_in_the_wrong_place(ctl, tmp_path):
    tone, table = tmp_path / "tone.wav", tmp_path / "areas.csv"
    tone.write_bytes(b'RIFF\x24\0\0\0WAVEfmt "x')
    refused(ctl("area", "import", tone), "not a CSV text file", code=2)
    refused(ctl("area", "import", tone, lang="vi"), "CSV UTF-8", code=2)
    table.write_text("code,parent,tier,name\n")
    refused(ctl("area", "import", table), code=3)
