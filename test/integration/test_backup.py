"""A backup of a stack that runs becomes a stack that goes on from there."""
import os
import stat
import subprocess
import sys
import tarfile

import pytest

from province import BUILD, TOP, Province, free_ports, iso, ms
from stack import Stack

BACKUP = os.path.join(TOP, "deploy", "local", "backup.py")


def backup(*args):
    return subprocess.run([sys.executable, BACKUP, *args], text=True,
                          capture_output=True, check=False)


def test_restored_stack_goes_on(tmp_path):
    """The bulletin, its sound, its approval and the device's enrolment are
    there: the loudspeaker of the new stack says it. Whom the new stack revokes
    is revoked by a list that is above those published since the backup."""
    os.chmod(tmp_path, 0o755)
    tar, new = str(tmp_path / "loa.tar"), str(tmp_path / "var")
    with Province() as p:
        p.import_areas()
        area = p.communes()[0]
        p.speak_up({"p1": area})
        content = p.say("Bản tin này được nói sau khi phục hồi.")
        p.approve(content)
        far = p.at(content, area, ms(86400 * 20))
        done = backup("save", tar, "--var", p.var)
        assert done.returncode == 0, done.stderr
        assert stat.S_IMODE(os.stat(tar).st_mode) == 0o600
        for who in ("minh", "lan"):
            p.loactl(who, "principal", "add")
        since = [p.loactl("admin", "principal", "revoke", who)["number"]
                 for who in ("minh", "lan")]
        refused = backup("restore", tar, "--var", p.var)
        assert refused.returncode == 1 and "holds other things" in \
            refused.stderr
    done = backup("restore", tar, "--var", new)
    assert done.returncode == 0, done.stderr
    with Stack(new, free_ports(), BUILD,
               options={"scheduler": ["--min-lead", "500ms"]}) as q:
        listed = q.loactl("lan", "schedule", "ls", area, "--until",
                          iso(ms(86400 * 30)))
        assert [e["bulletin"] for e in listed] == [far["bulletin"]]
        q.add_speaker("p1", area)
        q.wait(lambda: q.online() == {"p1"}, 30, "speaker")
        soon = q.loactl("lan", "schedule", "add", content["content"], area,
                        "--at", "+3s", "--yes")["entries"][0]

        def finished():
            return [r for r in q.loactl("lan", "report", soon["bulletin"])
                    if r["event"] == "finished"]
        q.wait(finished, 30, "speaker")
        number = q.loactl("admin", "device", "revoke", "p1")["number"]
        assert number > max(since)
        q.wait(lambda: not q.online(), 30, "registry")


def test_running_stack_in_a_folder_with_a_name_of_ours(tmp_path):
    """Its server's socket is elsewhere; the backup looked for it below VAR."""
    os.chmod(tmp_path, 0o755)
    tar, var = str(tmp_path / "loa.tar"), str(tmp_path / "xã 1")
    stack = Stack(var, free_ports(), BUILD)
    try:
        stack.take_folder()
        stack.take_lock()
        stack.start_pg()
        done = backup("save", tar, "--var", var)
        assert done.returncode == 0, done.stderr
        with tarfile.open(tar) as saved:
            assert saved.getmember("loa.dump").size > 10000
    finally:
        stack.stop()


def test_a_backup_without_a_name_could_be_committed():
    """It lies in the clone and holds every key, the root's too."""
    for name in ("loa.tar", "loa.tar.new", "before-upgrade.tar"):
        assert subprocess.run(["git", "check-ignore", "-q", name],
                              cwd=TOP).returncode == 0, name


@pytest.mark.parametrize("what, file, why", [
    ("restore", "nix.tar", "No such file or directory"),
    ("restore", "", "Is a directory"),
    ("save", "nix/loa.tar", "No such file or directory")])
def test_a_wrong_file_was_told_as_errno(tmp_path, what, file, why):
    os.chmod(tmp_path, 0o755)
    var, path = str(tmp_path / "v"), str(tmp_path / file)
    if what == "save":
        Stack(var, 0, BUILD).take_folder()
    done = backup(what, path, "--var", var)
    assert (done.returncode, done.stderr) == (1, f"loa: FILE={path}: {why}\n")


def test_not_a_backup(tmp_path):
    for name, data in (("empty.tar", b""), ("text.tar", b"xin chao" * 900)):
        path = tmp_path / name
        path.write_bytes(data)
        done = backup("restore", str(path), "--var", str(tmp_path / "v"))
        assert done.returncode == 1
        assert len(done.stderr.strip().split("\n")) == 1, done.stderr
        assert not (tmp_path / "v").exists()
    assert "folder of a stack" in backup(
        "save", str(tmp_path / "x.tar"), "--var", str(tmp_path)).stderr
