"""What loactl says to a newcomer before anything is asked of a service."""
import os
import subprocess

import pytest

from loa_broker import BUILD
from loa_identity import new_root


@pytest.fixture
def ctl(tmp_path):
    """loactl of an authority `admin`, with nobody at the other end: what is
    refused with 1 or 2 was refused here, 3 is that nobody answered."""
    who = tmp_path / "admin.id"
    new_root().authority("admin", "vn").save(who)

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
