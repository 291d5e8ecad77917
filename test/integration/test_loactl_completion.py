"""What bash offers to who types loactl and presses Tab."""
import os
import subprocess

import pytest

from loa_broker import BUILD


@pytest.fixture
def complete(tmp_path):
    """What bash offers after these words, in a folder with a folder `keys`."""
    (tmp_path / "keys").mkdir()

    def offered(*words):
        script = (os.path.join(BUILD, "loactl") + " completion bash > $0;"
                  " . $0; COMP_WORDS=(loactl \"$@\"); COMP_CWORD=$#; _loactl;"
                  "printf '%s\\n' \"${COMPREPLY[@]}\"")
        return set(subprocess.run(
            ["bash", "-c", script, str(tmp_path / "offer.sh"), *words],
            capture_output=True, text=True, check=True,
            cwd=tmp_path).stdout.split())
    return offered


def test_completion(complete):
    assert "content" in complete("")
    assert "keys" not in complete("")
    assert complete("content", "") >= {"add", "say", "ls", "approve"}
    assert "keys" not in complete("content", "ls", "")
    assert "keys" in complete("content", "add", "k")
    assert "--title" in complete("content", "add", "--t")
    assert complete("--lang", "") == {"vi", "en"}
    assert complete("content", "ls", "--ti") == {"--timeout"}
