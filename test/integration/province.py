"""A whole stack for tests, and the words to use it: hand_in, approve, at, heard.

Everything is real: programs, broker, database, loudspeakers with WAV outputs.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import numpy as np

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(TOP, "deploy", "local"))
import wavcheck  # noqa: E402
from demo import read_wav  # noqa: E402
from loa_broker import PATIENCE  # noqa: E402
from stack import Stack  # noqa: E402

BUILD = os.environ.get("LOA_BUILD", "build/plain")
LIMIT_S = 60


def free_ports(n=6, at=21000):
    """The first of n ports in a row that are free now."""
    import random
    import socket
    for _ in range(200):
        first = random.randrange(at, at + 9000)
        try:
            for port in range(first, first + n):
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise AssertionError("no free ports")


class Province(Stack):
    """A Stack in a folder of its own, with short lead times."""

    def __init__(self, **kw):
        self.folder = tempfile.mkdtemp(prefix="loa-test-")
        os.chmod(self.folder, 0o755)
        kw.setdefault("options", {"scheduler": ["--min-lead", "500ms"]})
        super().__init__(os.path.join(self.folder, "var"), free_ports(),
                         BUILD, **kw)

    def __exit__(self, *exc):
        super().__exit__(*exc)
        if exc[0] is None and not os.environ.get("LOA_KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print("kept:", self.folder)

    def wait(self, condition, limit_s, what):
        super().wait(condition, limit_s * PATIENCE, what)

    def speak_up(self, devices, wait=True):
        """Add loudspeakers {id: area}; wait until they are online."""
        for device, area in devices.items():
            self.add_speaker(device, area)
        if wait:
            self.wait(lambda: self.online() >= set(devices), LIMIT_S, "speaker")

    def say(self, text, who="lan"):
        return self.loactl(who, "content", "say", text)

    def approve(self, content, area=None, who="minh"):
        return self.loactl(who, "content", "approve", content["content"],
                           *(["--area", area] if area else []))

    def at(self, content, areas, start_ms, *more, who="lan", check=True):
        """Schedule; the entry, or the finished process with check=False."""
        areas = [areas] if isinstance(areas, str) else areas
        done = self.loactl(who, "schedule", "add", content["content"], *areas,
                           "--at", iso(start_ms), "--yes", *more, check=check)
        return done["entries"][0] if check else done

    def report(self, bulletin):
        return self.loactl("lan", "report", bulletin["bulletin"])

    def who(self, bulletin, event):
        return {r["device"] for r in self.report(bulletin)
                if r["event"] == event}

    def samples(self, device):
        return read_wav(self.path("wav", device + ".wav"))

    def archived(self, content):
        """The archived sound as floats."""
        path = self.path(content["content"][:16] + ".opus")
        if not os.path.exists(path):
            self.loactl("lan", "content", "export", content["content"], path)
        return wavcheck.read(path)

    def heard(self, device, content):
        """The best correlation of the content with what the device played, at
        8 kHz: enough to tell one speech from another, and quick."""
        played, said = (_thin(x) for x in (self.samples(device),
                                           self.archived(content)))
        core, _ = wavcheck.trim(said)
        if len(played) < len(core) or not played.any():
            return 0.0
        return float(wavcheck.correlate(played, core).max())

    def silent(self, device):
        return not self.samples(device).any()

    def kill(self, name):
        """kill -9; the supervisor starts it again."""
        self.processes[name].popen.kill()

    def halt(self, name):
        """Stop it for good."""
        self.processes.pop(name).stop()

    def metric(self, service, sample):
        """The value of a sample (labels included) of /metrics, or 0."""
        url = f"http://127.0.0.1:{self.service_port(service)}/metrics"
        with urllib.request.urlopen(url, timeout=LIMIT_S) as r:
            for line in r.read().decode().splitlines():
                if line.startswith(sample + " "):
                    return float(line.split()[-1])
        return 0

    def retained(self, who, topic, limit_s=5):
        """The payload of a retained message, or None."""
        login = self.loactl(who, "key", "login", who + "-sub")
        done = subprocess.run(
            ["mosquitto_sub", "-V", "5", "-p", str(self.port), "-C", "1", "-N",
             "-W", str(limit_s), "-i", login["client"], "-u",
             login["user"], "-P", login["password"], "-q", "1", "-t",
             topic], capture_output=True)
        return done.stdout or None


def _thin(x, by=6):
    n = len(x) // by * by
    return x[:n].reshape(-1, by).mean(axis=1)


def ms(seconds_from_now):
    return int((time.time() + seconds_from_now) * 1000)


def iso(at_ms):
    return (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ms // 1000))
            + f".{at_ms % 1000:03d}Z")


def loud(samples, start_s, end_s, rate=48000):
    return bool(np.any(samples[int(start_s * rate):int(end_s * rate)]))
