"""A full disk under the database: a clear sentence, nothing lost, and it goes
on when there is room again. Needs root, for a file system of its own."""
import os
import pwd
import subprocess
import tempfile

import pytest
from loa_broker import wait_until
from loa_content import BUSY, DONE, OK, PART, TEXT, ContentWorld
from loa_service import Postgres

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount")


@pytest.fixture(scope="module")
def pg():
    with Postgres() as database:
        yield database


@pytest.fixture
def small():
    """A folder with 6 MB."""
    folder = tempfile.mkdtemp(prefix="loa-small-")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs",
                       folder], check=False).returncode != 0:
        os.rmdir(folder)
        pytest.skip("cannot mount a tmpfs here")
    os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    os.rmdir(folder)


def grow(folder):
    subprocess.run(["mount", "-o", "remount,size=200m", folder], check=True)


def test_parts(pg, small):
    pg.query(f"CREATE TABLESPACE small LOCATION '{small}'")
    with ContentWorld(pg) as w:
        pg.query("ALTER TABLE content.upload_part SET TABLESPACE small")
        try:
            data = os.urandom(8 << 20)
            id_ = w.lan.begin(len(data), title="Đầy đĩa").upload.upload_id
            at = 0
            while True:
                a = w.lan.part(id_, at, data[at:at + PART])
                if a.status.code != OK:
                    break
                at = a.upload.received
            assert a.status.code == BUSY, a
            assert "no room" in a.status.text_en and "hết chỗ" in (
                a.status.text_vi), a
            assert at > 3 << 20
            # Still there, still full, still answering.
            assert w.lan.state(id_).upload.received == at
            assert w.lan.part(id_, at, data[at:at + PART]).status.code == BUSY
            w.service.kill()
            w.service.start()
            assert w.lan.state(id_).upload.received == at
            grow(small)
            w.lan.send_parts(id_, data, at)
            assert w.lan.state(id_).upload.received == len(data)
            w.lan.wait_ended(id_)
        finally:
            w.service.kill()
            grow(small)
            pg.query("TRUNCATE content.upload CASCADE")
            pg.query("ALTER TABLE content.upload_part SET TABLESPACE "
                     "pg_default")
            pg.query("DROP TABLESPACE small")


def test_packets(pg, small):
    """The packets find no room: the job waits and is done when there is."""
    pg.query(f"CREATE TABLESPACE small LOCATION '{small}'")
    with ContentWorld(pg) as w:
        pg.query("ALTER TABLE content.packet SET TABLESPACE small")
        try:
            fd = os.open(os.path.join(small, "rest"), os.O_WRONLY | os.O_CREAT)
            try:
                while True:
                    os.write(fd, bytes(4096))
            except OSError:
                os.close(fd)
            id_ = w.lan.begin(6, media=TEXT, title="Chờ chỗ").upload.upload_id
            w.lan.part(id_, 0, b"Xin ch")
            wait_until(lambda: w.service.metric(
                'loa_content_jobs_total{outcome="again"}') >= 1, "again")
            grow(small)
            u = w.lan.wait_ended(id_, 60)   # It is tried every 30 s.
            assert u.stage == DONE, u
            assert pg.one("SELECT attempts_n FROM content.upload") == "1"
        finally:
            w.service.kill()
            grow(small)
            pg.query("TRUNCATE content.upload, content.content, "
                     "content.packet CASCADE")
            pg.query("ALTER TABLE content.packet SET TABLESPACE pg_default")
            pg.query("DROP TABLESPACE small")
