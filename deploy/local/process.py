"""Programs that are watched, and started again when they end."""
import contextlib
import ctypes
import os
import signal
import subprocess
import time

BACKOFF_S = (0.2, 0.5, 1, 2, 5)


def _die_with_parent():
    """In the child: end when the supervisor ends, however that happens."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Process:
    """One program, started again with growing pauses when it ends by itself."""

    def __init__(self, name, argv, log, env=None, restart=True):
        self.name, self.argv, self.log = name, argv, log
        self.env = dict(os.environ, **(env or {}))
        self.restart, self.wanted = restart, True
        self.starts, self.next_start = 0, 0.0
        self.popen = None
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.env, start_new_session=True,
                preexec_fn=_die_with_parent)
        self.started = time.monotonic()
        self.starts += 1

    def tend(self, tell):
        """Nothing that goes wrong here ends the supervisor: nobody may be left to
        be told (a closed terminal), and what cannot be started now (no room, no
        memory) is tried again."""
        if not self.wanted or self.popen.poll() is None:
            return
        now = time.monotonic()
        if self.next_start == 0.0:
            with contextlib.suppress(OSError, ValueError):
                tell(self)
            if now - self.started > 10:
                self.starts = 0
            pause = BACKOFF_S[min(self.starts, len(BACKOFF_S) - 1)]
            self.next_start = now + pause
        if self.restart and now >= self.next_start:
            try:
                self.start()
                self.next_start = 0.0
            except OSError:
                self.next_start = now + BACKOFF_S[-1]

    def stop(self, sig=signal.SIGTERM, wait_s=10):
        self.wanted = False
        if self.popen.poll() is None:
            self.popen.send_signal(sig)
        try:
            self.popen.wait(wait_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()

    def last_line(self):
        try:
            with open(self.log, "rb") as f:
                lines = f.read()[-4000:].decode("utf-8", "replace").split("\n")
            return next((x for x in reversed(lines) if x.strip()), "")
        except OSError:
            return ""
