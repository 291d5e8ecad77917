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
