"""What loactl forgot to free, as LeakSanitizer sees it."""
import os
import subprocess

import pytest

from loa_identity import ROOT_DIR, new_root

SAN = "address,undefined"


@pytest.fixture(scope="module")
def watched():
    """loactl under ASan: (words...) -> the finished process."""
    program = "build/" + SAN.replace(",", "-") + "/loactl"
    subprocess.run(["make", "-s", "SAN=" + SAN, program], cwd=ROOT_DIR,
                   check=True)

    def run(*words):
        done = subprocess.run(
            [os.path.join(ROOT_DIR, program), "--lang", "en", *map(str, words)],
            capture_output=True, text=True,
            env=dict(os.environ, ASAN_OPTIONS="detect_leaks=1:exitcode=99"))
        assert done.returncode != 99, done.stderr
        return done
    return run


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_list_that_failed_kept_its_table(watched, tmp_path, more):
    who = tmp_path / "lan.identity"
    new_root().authority("lan", "vn").save(who)
    done = watched("--port", "1", "--identity", who, *more, "content", "ls")
    assert done.returncode == 3 and "127.0.0.1" in done.stderr, done.stderr


def test_key_show_of_no_file_kept_its_list(watched, tmp_path):
    done = watched("--json", "key", "show", tmp_path / "none")
    assert done.returncode == 2 and "none" in done.stderr, done.stderr
