"""The supervisor of the local stack outlives what goes wrong around it."""
import os
import sys
import time

from loa_broker import ROOT_DIR, wait_until
from loa_identity import new_root

sys.path.insert(0, os.path.join(ROOT_DIR, "deploy/local"))
from process import Process  # noqa: E402
from stack import enrolled  # noqa: E402


# It ends with the tests.
ENDLESS = ["tail", f"--pid={os.getpid()}", "-f", "/dev/null"]


def tended(process, tell, done):
    """Tend it until done()."""
    def tick():
        process.tend(tell)
        return done()
    wait_until(tick, "the supervisor does its work")


def test_a_closed_terminal_ended_the_supervisor(tmp_path):
    def tell(_):
        raise BrokenPipeError

    p = Process("program", ENDLESS, str(tmp_path / "log"))
    try:
        first = p.popen.pid
        p.popen.kill()
        tended(p, tell, lambda: p.popen.poll() is None and
               p.popen.pid != first)
    finally:
        p.stop()


def test_a_program_that_cannot_be_started_now_ended_the_supervisor(tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec " + " ".join(ENDLESS) + "\n")
    program.chmod(0o755)
    p = Process("program", [str(program)], str(tmp_path / "log"))
    try:
        first = p.popen.pid
        program.rename(tmp_path / "away")
        p.popen.kill()
        p.popen.wait()
        tended(p, lambda _: None, lambda: p.next_start > time.monotonic() + 2)
        (tmp_path / "away").rename(program)
        tended(p, lambda _: None, lambda: p.popen.pid != first and
               p.popen.poll() is None)
    finally:
        p.stop()


def test_an_enrolled_loudspeaker_without_its_mark_was_enrolled_again(tmp_path):
    """It was killed before it wrote the mark; the registry refused the second
    code, and the stack never started again."""
    assert not enrolled(tmp_path)
    who = new_root().authority("ministry", "vn").device("pole_1", "vn/08")
    certificates, who.certificates = who.certificates, []
    who.save(tmp_path / "identity")
    assert not enrolled(tmp_path)
    who.certificates = certificates
    who.save(tmp_path / "identity")
    assert enrolled(tmp_path)
