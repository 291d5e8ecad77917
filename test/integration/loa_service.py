"""A private PostgreSQL with Loa's schema, one service of ours, and requests to
it, for tests.

    with Postgres() as pg:                  # cluster on a Unix socket, migrated
        pg.one("SELECT count(*) FROM scheduler.bulletin")
        s = Service("scheduler", identity, pg, broker)
        s.start(); s.kill(); s.stop()
        answer = Asker(broker.connect(lan), lan).scheduler(add=...)
"""
import contextlib
import glob
import os
import queue
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from loa_broker import BUILD, LIMIT_S, PATIENCE, free_port, wait_until
from loa_identity import ROOT_DIR, open_envelope, pb, registry, services

# With sanitizers, too: LOA_BUILD=build/address-undefined.
TEST_BUILD = BUILD if BUILD.endswith("-test") else BUILD + "-test"
PG_BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]


def _as_postgres():
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    who = pwd.getpwnam("postgres")
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


class Shift:
    """A clock that tests set: seconds that every process started with .env is
    ahead of the machine, from now on."""

    def __init__(self, seconds=0):
        self.folder = tempfile.mkdtemp(prefix="loa-shift-")
        os.chmod(self.folder, 0o755)    # PostgreSQL is somebody else.
        library = os.path.join(self.folder, "clock_shift.so")
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-Wall", "-Werror", "-D_GNU_SOURCE",
             "-o", library, os.path.join(os.path.dirname(
                 os.path.abspath(__file__)), "clock_shift.c"), "-ldl"],
            check=True)
        self.path = os.path.join(self.folder, "seconds")
        self.env = {"LD_PRELOAD": library, "CLOCK_SHIFT_FILE": self.path}
        self.set(seconds)

    def set(self, seconds, asleep=0):
        """`asleep`: of these, the machine was suspended for so many."""
        with open(self.path + ".new", "w", encoding="ascii") as f:
            f.write(f"{int(seconds)} {int(asleep)}")
        os.chmod(self.path + ".new", 0o644)
        os.rename(self.path + ".new", self.path)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres:
    def __init__(self, migrate=True, env=None):
        self.env = {**os.environ, **(env or {})}
        self.folder = tempfile.mkdtemp(prefix="loa-pg-")
        self.data = os.path.join(self.folder, "data")
        self.migrate = migrate
        if os.geteuid() == 0:
            os.chown(self.folder, pwd.getpwnam("postgres").pw_uid, -1)
        os.chmod(self.folder, 0o711)

    def _run(self, *argv):
        subprocess.run(argv, check=True, cwd=self.folder,
                       stdout=subprocess.DEVNULL, env=self.env,
                       **_as_postgres())

    def start(self):
        if not os.path.exists(self.data):
            self._run(f"{PG_BIN}/initdb", "-D", self.data, "-U", "loa", "-A",
                      "trust", "-E", "UTF8", "--no-locale", "-N")
        self._run(f"{PG_BIN}/pg_ctl", "-s", "-D", self.data, "-w", "-l",
                  os.path.join(self.folder, "pg.log"), "-o",
                  "-c listen_addresses= -c fsync=off -c "
                  f"unix_socket_directories={self.folder}", "start")
        if self.migrate:
            subprocess.run([os.path.join(ROOT_DIR, "schema", "migrate"),
                            self.conninfo("loa")], check=True,
                           stdout=subprocess.DEVNULL)
        return self

    def stop(self, mode="immediate"):
        self._run(f"{PG_BIN}/pg_ctl", "-s", "-D", self.data, "-m", mode,
                  "stop")

    def conninfo(self, user):
        return f"host={self.folder} user={user} dbname=postgres"

    def query(self, sql):
        """Rows as lists of text."""
        done = subprocess.run(
            ["psql", "-qXAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", sql,
             self.conninfo("loa")], check=True, capture_output=True, text=True)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def one(self, sql):
        return self.query(sql)[0][0]

    @contextlib.contextmanager
    def holding(self, sql):
        """A transaction that has done this and is open until the end."""
        with subprocess.Popen(
                ["psql", "-qXAt", "-v", "ON_ERROR_STOP=1",
                 self.conninfo("loa")], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True) as p:
            p.stdin.write(f"BEGIN; {sql};\n\\echo held\n")
            p.stdin.flush()
            assert p.stdout.readline() == "held\n", sql
            yield
            p.stdin.write("COMMIT;\n")

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


def with_fail_points(name):
    """The program `name` built with fail points; `make TEST=1 all` does."""
    path = os.path.join(TEST_BUILD, name)
    assert os.path.exists(path), f"{path} is missing: make TEST=1 all"
    return path


class Service:
    """loa-<name> as a process, with a free HTTP port and a log file."""

    def __init__(self, name, identity, pg, broker, *options, schema=None,
                 env=None):
        self.name, self.http_port = name, free_port()
        self.folder = tempfile.mkdtemp(prefix=f"loa-{name}-")
        self.log_path = os.path.join(self.folder, "log")
        self.env = {**os.environ, **(env or {})}
        self.argv = [
            os.path.join(BUILD, f"loa-{name}"), "--identity",
            identity.save(os.path.join(self.folder, "identity")), "--pg",
            pg.conninfo("loa_" + (schema or name)), "--mqtt-port",
            str(broker.port), "--broker", broker.name, "--http-port",
            str(self.http_port), *options]
        self.process = None

    def start(self, wait=True, **env):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**self.env, **env})
        if wait:
            wait_until(self.ready, f"loa-{self.name} is ready")
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def http(self, path, limit_s=LIMIT_S):
        """(status, text); status 0: nobody listens, or answers in time."""
        try:
            with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.http_port}{path}",
                    timeout=limit_s) as r:
                return r.status, r.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError:
            return 0, ""

    def ready(self):
        assert self.process.poll() is None, "ended:\n" + self.log()
        # One that waits for a lock as it starts listens, and does not answer.
        return self.http("/readyz", limit_s=2)[0] == 200

    def metric(self, name):
        """The sample `name` (labels included), or 0."""
        for line in self.http("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return 0

    def kill(self):
        self.process.kill()
        self.process.wait(LIMIT_S * PATIENCE)

    def stop(self):
        """Ends it as a supervisor would; returns the exit code."""
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LIMIT_S * PATIENCE)

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


REPEAT_S = 3


class Asker:
    """Requests by RPC: sends, waits for the answer, checks who signed it."""

    def __init__(self, client, who):
        self.client, self.who = client, who
        self.reply = f"loa/1/rpc/reply/{who.area}/@{who.principal}"
        assert client.subscribe(self.reply) == 1

    def send(self, service, type_, body, message_id=None, **more):
        """Returns (message id, envelope) of what was sent."""
        message_id = message_id or os.urandom(16)
        envelope = self.who.envelope(type_, body, message_id=message_id, **more)
        topic = f"loa/1/rpc/{service}/{self.who.area}/@{self.who.principal}"
        self.client.publish(topic, envelope)
        return message_id, envelope

    def wait(self, message_id, kind, limit_s=LIMIT_S):
        end = time.monotonic() + limit_s
        while True:
            m = self.client.wait_message(self.reply, end - time.monotonic())
            signed, _ = open_envelope(m.payload)
            if signed.message_id == message_id:
                return kind.FromString(signed.body)

    def scheduler(self, message_id=None, limit_s=LIMIT_S, **what):
        message_id, envelope = self.send(
            "scheduler", pb.TYPE_SCHEDULER_REQUEST,
            services.SchedulerRequest(**what), message_id)
        end = time.monotonic() + limit_s * PATIENCE
        while True:
            left_s = end - time.monotonic()
            try:
                return self.wait(message_id, services.SchedulerAnswer,
                                 min(left_s, REPEAT_S))
            except queue.Empty:
                if left_s <= REPEAT_S:
                    raise
                # As every asker does: the same request again.
                self.client.publish(
                    f"loa/1/rpc/scheduler/{self.who.area}"
                    f"/@{self.who.principal}", envelope)


class Scheduler:
    """Answers every request with .status under the key of .signer, who need not be
    the one whose login it uses."""

    def __init__(self, broker, login, signer=None):
        self.signer, self.status = signer or login, pb.Status()
        self.client = broker.connect(login)
        self.client.mqtt.on_message = self._on_message
        assert self.client.subscribe(
            f"loa/1/rpc/scheduler/{login.area}/#") == 1

    def _on_message(self, _client, _data, m):
        signed, _ = open_envelope(m.payload)
        self.client.mqtt.publish(
            m.topic.replace("/scheduler/", "/reply/"),
            self.signer.envelope(pb.TYPE_SCHEDULER_ANSWER,
                                 services.SchedulerAnswer(status=self.status),
                                 message_id=signed.message_id), 1)


class Registry:
    """Answers AreaSync for a service under test, as loa-registry does."""

    def __init__(self, broker, identity, areas, page=1000):
        self.identity, self.page = identity, page
        self.areas = [(path, 1) for path in areas]
        self.version = 1
        self.asked_n = 0
        self.client = broker.connect(identity)
        self.client.mqtt.on_message = self._on_message
        assert self.client.subscribe(
            f"loa/1/rpc/registry/{identity.area}/#") == 1

    def add(self, *paths):
        self.version += 1
        self.areas += [(path, self.version) for path in paths]

    def _on_message(self, _client, _data, m):
        signed, _ = open_envelope(m.payload)
        q = registry.RegistryRequest.FromString(signed.body).area_sync
        todo = sorted(((v, p) for p, v in self.areas
                       if v > q.since_version))
        if q.after:
            todo = [(v, p) for v, p in todo
                    if f"{v:09d} {p}" > q.after]
        answer = registry.RegistryAnswer(
            status=pb.Status(), version=self.version)
        for v, path in todo[:self.page]:
            answer.areas.add(path=path, code=path.split("/")[-1],
                             name=f'Xã "{path}"', version=v,
                             tier=path.count("/") + 1)
        if len(todo) > self.page:
            v, path = todo[self.page - 1]
            answer.next = f"{v:09d} {path}"
        who = m.topic[len("loa/1/rpc/registry/"):]
        self.asked_n += 1
        self.client.mqtt.publish(
            "loa/1/rpc/reply/" + who,
            self.identity.envelope(pb.TYPE_REGISTRY_ANSWER, answer,
                                   area=signed.area,
                                   message_id=signed.message_id), 1)
