"""Everybody over TLS: a service, loactl and a loudspeaker, at a broker with
loa-auth that listens with a certificate and nothing else."""
import contextlib
import json
import os
import subprocess

import pytest
from loa_broker import BUILD, Broker, wait_until
from loa_identity import (ALL, CONFIG, DELEGATE, DRILL, REVOKE, ROOT_DIR,
                          new_root)
from loa_service import Postgres, Service

SAMPLE = os.path.join(ROOT_DIR, "deploy", "sample-areas.csv")


def openssl(folder, *argv):
    subprocess.run(["openssl", *argv], cwd=folder, check=True,
                   capture_output=True)


def certificates(folder):
    """Two authorities, `ca` and `other`; a server certificate by the first."""
    for name in ("ca", "other"):
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=" + name, "-keyout", name + ".key", "-out",
                name + ".pem")
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=broker",
            "-keyout", "server.key", "-out", "server.csr")
    with open(os.path.join(folder, "ext"), "w", encoding="ascii") as f:
        f.write("subjectAltName=IP:127.0.0.1\n")
    openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem",
            "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
            "ext", "-out", "server.pem")


class World:
    def __init__(self, pg, folder):
        self.folder = folder
        certificates(folder)
        self.ca = os.path.join(folder, "ca.pem")
        root = new_root()
        country = root.authority("ministry", "vn")
        registry = country.service("registry_vn", "registry", "vn",
                                   powers=CONFIG | DELEGATE | REVOKE,
                                   max_depth=1)
        admin = country.staff("admin", "vn", powers=ALL & ~DRILL, max_depth=3)
        self.admin = admin.save(os.path.join(folder, "admin.identity"))
        tls = "".join(f"\n{key} {os.path.join(folder, name)}" for key, name in
                      (("certfile", "server.pem"), ("keyfile", "server.key")))
        self.broker = Broker(root, edit=lambda text: text + tls + "\n")
        self.service = Service("registry", registry, pg, self.broker,
                               "--mqtt-ca", self.ca)

    def loactl(self, *args, ca=None, host="127.0.0.1"):
        return subprocess.run(
            [os.path.join(BUILD, "loactl"), "--lang", "en", "--host", host,
             "--port", str(self.broker.port), "--identity", self.admin,
             "--timeout", "5", *(["--ca", ca] if ca else []), *args],
            capture_output=True, text=True, check=False)

    @contextlib.contextmanager
    def speaker(self, name, *options, ca="ca.pem"):
        """A loudspeaker while it runs; gives a function that reads its log."""
        data = os.path.join(self.folder, name)
        os.makedirs(data, mode=0o700)
        path = data + ".log"

        def log():
            with open(path, encoding="utf-8") as f:
                return f.read()

        with open(path, "ab") as f:
            process = subprocess.Popen(
                [os.path.join(BUILD, "loa-speaker"), "--mqtt-port",
                 str(self.broker.port), "--mqtt-ca",
                 os.path.join(self.folder, ca), "--data-dir", data, "--output",
                 f"wav:{data}/out.wav", *options],
                stdin=subprocess.DEVNULL, stdout=f, stderr=f)
        try:
            yield log
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("tls"))
    with Postgres() as pg:
        w = World(pg, folder)
        with w.broker:
            w.service.start()
            yield w
            w.service.remove()


def test_import_and_ask(world):
    """Over 200 areas in parts of 48 kB: more than a TLS record at once."""
    done = world.loactl("area", "import", SAMPLE, ca=world.ca)
    assert done.returncode == 0, done.stderr
    done = world.loactl("area", "find", "vn/08", ca=world.ca)
    assert done.returncode == 0 and "vn/08" in done.stdout, done


@pytest.mark.parametrize("ca, host", [
    ("other.pem", "127.0.0.1"),    # signed by somebody else
    ("ca.pem", "localhost"),       # in another's name
    (None, "127.0.0.1"),           # no TLS at all
])
def test_refused_handshake(world, ca, host):
    """One sentence, and nothing was sent to who is not the broker."""
    done = world.loactl("area", "ls", ca=ca and os.path.join(world.folder, ca),
                        host=host)
    assert done.returncode == 3, done
    assert len(done.stderr.strip().split("\n")) == 1, done.stderr
    assert ("certificate is not for this name" if ca else "--ca") in \
        done.stderr, done


def test_loudspeaker_enrols(world):
    """The first connection, before it has a certificate, and the next one."""
    area = "vn/08/070/02215"
    assert world.loactl("area", "import", SAMPLE, ca=world.ca).returncode == 0
    done = world.loactl("--json", "device", "enrol", area, "--id", "pole_1",
                        "--serial", "sn-1", ca=world.ca)
    assert done.returncode == 0, done
    code = json.loads(done.stdout.strip().split("\n")[-1])["code"]
    with world.speaker("pole_1", "--device", "pole_1", "--serial", "sn-1",
                       "--code", code) as log:
        wait_until(lambda: " client=pole_1 " in log(),
                   "the loudspeaker is connected")


def test_loudspeaker_of_another_authority(world):
    """It says that the certificate is wrong, stays silent and tries again."""
    with world.speaker("pole_2", "--device", "pole_2", "--serial", "sn-2",
                       "--code", "8GKP-3VHB-0ZN4-QYTM", ca="other.pem") as log:
        wait_until(lambda: "certificate" in log(), "a line about it")
        assert "mqtt.connected" not in log()
