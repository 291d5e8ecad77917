"""The embedded default: one province on one machine, everything under VAR.

A private PostgreSQL cluster on a Unix socket, a Mosquitto with loa-auth, the
services, and simulated loudspeakers. Everything listens on loopback only;
every key is made on the first start. Tests start stacks of their own with it.
"""
import csv
import fcntl
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

from process import Process

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SAMPLE = os.path.join(TOP, "deploy", "sample-areas.csv")
FREE_BYTES_MIN = 500 << 20
SOCKET_PATH_MAX = 90  # sun_path has 108 bytes, the socket's name takes some.
UNREACHABLE = 3  # How loactl ends when the broker refuses it.
MARK = ".loa-stack"  # In a folder that a stack has made its own.

#            program, service, principal, powers
SERVICES = [
    ("loa-registry", "registry", "registry", "config,delegate,revoke"),
    ("loa-content-ingest", "content-ingest", "content_ingest", "none"),
    ("loa-scheduler", "scheduler", "scheduler", "schedule,time"),
    ("loa-telemetry-collector", "telemetry-collector", "telemetry_collector",
     "none"),
]
#        principal, name, powers
STAFF = [
    ("admin", "Quản trị", "config,delegate,revoke,command"),
    ("lan", "Lan, biên tập", "schedule,command"),
    ("minh", "Minh, duyệt", "content-approve"),
]


class Trouble(Exception):
    """Something a person must mend; its text is the one line that says how."""


def english():
    lang = os.environ.get("LOA_LANG", os.environ.get("LANG", ""))
    return lang.startswith("en")


def say(vi, en):
    print(en if english() else vi, flush=True)


def pg_bin(name):
    for version in ("15", "16", "17"):
        path = f"/usr/lib/postgresql/{version}/bin/{name}"
        if os.path.exists(path):
            return path
    found = shutil.which(name)
    if found is None:
        raise Trouble(f"{name} is missing: run `make deps`")
    return found


def enrolled(folder):
    """Has this loudspeaker its certificates? It may have been killed before it
    said so."""
    if os.path.exists(os.path.join(folder, "enrolled")):
        return True
    try:
        with open(os.path.join(folder, "identity"), encoding="utf-8") as f:
            return any(line.startswith("certificate ") for line in f)
    except OSError:
        return False


class Stack:
    def __init__(self, var, port, build="build/plain", areas=SAMPLE,
                 options=None):
        self.var = os.path.realpath(var)
        self.port, self.areas = port, areas
        self.build = os.path.join(TOP, build)
        self.options = options or {}  # service -> more arguments
        self.processes, self.speakers = {}, {}
        self.broker_log_from = 0
        self.lock = self.tender = None
        self.stopping = threading.Event()
        self.socket_dir = os.path.join(self.var, "run")
        self.socket_made = None

    # --- small things -----------------------------------------------------

    def path(self, *parts):
        return os.path.join(self.var, *parts)

    def bin(self, name):
        return os.path.join(self.build, name)

    def key(self, principal):
        return self.path("keys", principal + ".id")

    def service_port(self, service):
        names = [s[1] for s in SERVICES]
        return self.port + 1 + names.index(service)

    def loactl(self, who, *args, check=True, timeout=60, text=None):
        """Run loactl --json as one of the staff; its parsed answer."""
        argv = [self.bin("loactl"), "--json", "--quiet", "--lang", "en",
                "--port", str(self.port), "--identity", self.key(who),
                "--timeout", str(timeout), *map(str, args)]
        done = subprocess.run(argv, capture_output=True, text=True, input=text)
        if check and done.returncode == UNREACHABLE and who in self.revoked():
            raise self.revoked_trouble(who)
        if check and done.returncode != 0:
            raise Trouble(done.stderr.strip() or f"{argv} failed")
        if not check:
            return done
        lines = done.stdout.strip().split("\n")
        return json.loads(lines[-1]) if lines[-1] else None

    def sql(self, query, role="loa"):
        done = subprocess.run(
            ["psql", "-qXAt", "-v", "ON_ERROR_STOP=1", "-c", query,
             self.conninfo(role)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Trouble(done.stderr.strip())
        return done.stdout.strip()

    def conninfo(self, role, database="loa"):
        return f"host={self.socket_dir} dbname={database} user={role}"

    # --- before anything runs ---------------------------------------------

    def take_folder(self):
        """Only a new or empty folder, or one that was ours before: everything
        below it gets owners and modes of our choice."""
        os.makedirs(self.var, exist_ok=True)
        mark = self.path(MARK)
        if not os.path.exists(mark):
            if os.listdir(self.var):
                raise Trouble(f"{self.var} holds other things: give a new or "
                              "an empty folder with VAR=DIR")
            with open(mark, "w") as f:
                f.write("A stack of Loa keeps its data here.\n")

    def take_lock(self):
        lock = open(self.path("lock"), "w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.lock = lock
        except OSError:
            lock.close()
            raise Trouble(f"{self.var} is in use by a stack that runs: stop "
                          "it, or give another place with VAR=DIR") from None

    def check_machine(self):
        free = shutil.disk_usage(self.var).free
        if free < FREE_BYTES_MIN:
            raise Trouble(f"only {free >> 20} MB are free at {self.var}: make "
                          f"room for {FREE_BYTES_MIN >> 20} MB, or give "
                          "another place with VAR=DIR")
        for port in range(self.port, self.port + 1 + len(SERVICES)):
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    s.bind(("127.0.0.1", port))
                except OSError:
                    raise Trouble(
                        f"port {port} is in use: choose another first port "
                        f"with PORT=N (it needs N to N+{len(SERVICES)})"
                    ) from None

    # --- PostgreSQL: it will not run as root --------------------------------

    def as_pg(self, argv):
        if os.geteuid() != 0:
            return argv
        user = pwd.getpwnam("postgres")
        head = ["setpriv", "--reuid", str(user.pw_uid), "--regid",
                str(user.pw_gid), "--clear-groups", "--pdeathsig", "INT"]
        if not self._reachable(head):
            # A checkout below /root: the cluster's own folders belong to
            # postgres, but the way to them is closed. This one capability
            # lets it walk there, and nothing else.
            head += ["--inh-caps", "+dac_read_search", "--ambient-caps",
                     "+dac_read_search"]
        return head + argv

    def _reachable(self, head):
        return subprocess.run(head + ["test", "-x", self.path("pg")],
                              stderr=subprocess.DEVNULL).returncode == 0

    def own(self, path, mode=0o700):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(path, user.pw_uid, user.pw_gid)

    def start_pg(self):
        data = self.path("pg")
        if len(self.socket_dir) > SOCKET_PATH_MAX or \
                not re.fullmatch(r"[A-Za-z0-9_./-]+", self.socket_dir):
            self.socket_made = self.socket_dir = tempfile.mkdtemp(prefix="loa")
        self.own(data)
        self.own(self.socket_dir)
        if os.path.exists(os.path.join(data, "postmaster.pid")):
            # A stack that was killed may have left its server running.
            subprocess.run(self.as_pg([pg_bin("pg_ctl"), "-D", data, "-m",
                                       "fast", "-w", "stop"]),
                           capture_output=True, cwd="/")
        if not os.path.exists(os.path.join(data, "PG_VERSION")):
            done = subprocess.run(
                self.as_pg([pg_bin("initdb"), "-D", data, "-U", "loa", "-A",
                            "trust", "-E", "UTF8", "--no-locale"]),
                capture_output=True, text=True, cwd="/")
            if done.returncode != 0:
                raise Trouble("PostgreSQL's initdb failed: "
                              + done.stderr.strip().split("\n")[-1])
        settings = {"listen_addresses": "", "unix_socket_permissions": "0700",
                    "unix_socket_directories": self.socket_dir,
                    "shared_buffers": "64MB", "max_connections": "60",
                    "wal_level": "minimal", "max_wal_senders": "0",
                    "log_min_messages": "warning"}
        argv = [pg_bin("postgres"), "-D", data]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        self.spawn("postgres", self.as_pg(argv), restart=True)
        self.wait(lambda: subprocess.run(
            [pg_bin("pg_isready"), "-q", "-h", self.socket_dir]).returncode == 0,
            30, "PostgreSQL")
        have = subprocess.run(
            ["psql", "-qXAt", "-c", "SELECT 1 FROM pg_database WHERE "
             "datname = 'loa'", self.conninfo("loa", "postgres")],
            capture_output=True, text=True)
        if have.stdout.strip() != "1":
            subprocess.run([pg_bin("createdb"), "-h", self.socket_dir, "-U",
                            "loa", "loa"], check=True)
        self.migrate()

    def migrate(self):
        done = subprocess.run([os.path.join(TOP, "schema", "migrate"),
                               self.conninfo("loa")], capture_output=True,
                              text=True)
        if done.returncode != 0:
            raise Trouble(done.stderr.strip())

    def find_pg(self):
        """Where the server of a stack that runs has its socket: not below VAR
        where that path is too long for one, or has letters of ours."""
        with open(os.path.join(self.path("pg"), "postmaster.pid"),
                  encoding="utf-8") as f:
            self.socket_dir = f.read().split("\n")[4]

    # --- keys -----------------------------------------------------------------

    def make_keys(self):
        keys = self.path("keys")
        os.makedirs(keys, mode=0o700, exist_ok=True)
        if not os.path.exists(self.key("root")):
            self.offline("key", "new", self.key("root"), "--root")
        self.issue("root", "authority", "authority", "vn", "all", depth=3,
                   days=1825, name="Cơ quan quản lý")
        for _, service, principal, powers in SERVICES:
            self.issue("authority", principal, "service", "vn", powers,
                       depth=1 if service == "registry" else 0,
                       service=service, days=730)
        for principal, name, powers in STAFF:
            self.issue("authority", principal, "staff", "vn", powers, name=name)
        with open(self.path("keys", "root.pub"), "w") as f:
            f.write(self.root_key() + "\n")

    def root_key(self):
        done = subprocess.run([self.bin("loactl"), "--json", "key", "show",
                               self.key("root")], capture_output=True,
                              text=True, check=True)
        return json.loads(done.stdout)["key"]

    def offline(self, *args):
        done = subprocess.run([self.bin("loactl"), "--lang", "en", *args],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise Trouble(done.stderr.strip())

    def issue(self, issuer, principal, role, area, powers, depth=0, days=365,
              service=None, name=""):
        path = self.key(principal)
        if os.path.exists(path):
            return
        tmp = path + ".new"
        if os.path.exists(tmp):
            os.unlink(tmp)
        self.offline("key", "new", tmp)
        self.offline("--identity", self.key(issuer), "key", "issue", tmp,
                     "--principal", principal, "--role", role, "--area", area,
                     "--powers", powers, "--depth", str(depth), "--days",
                     str(days), "--name", name,
                     *(["--service", service] if service else []))
        os.rename(tmp, path)

    # --- broker, services ---------------------------------------------------------

    def start_broker(self):
        folder = self.path("broker")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(TOP, "deploy", "mosquitto.conf.in")) as f:
            conf = f.read()
        user = "root" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())[0]
        for name, value in {
                "PORT": self.port, "USER": user, "BROKER": "loa",
                "PLUGIN": self.bin("loa-auth.so"),
                "ROOT_FILE": self.path("keys", "root.pub"),
                "STATE": os.path.join(folder, "trust.state")}.items():
            conf = conf.replace(f"@{name}@", str(value))
        conf_path = os.path.join(folder, "mosquitto.conf")
        with open(conf_path, "w") as f:
            f.write(conf)
        binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        log = self.path("log", "mosquitto.log")
        self.broker_log_from = os.path.getsize(log) if os.path.exists(log) \
            else 0
        self.spawn("mosquitto", [binary, "-c", conf_path])
        self.wait(self._broker_listens, 20, "Mosquitto")

    def _broker_listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def revoked(self):
        """Whom the broker refused as revoked since this stack started; what
        was refused before may have a new key."""
        with open(self.path("log", "mosquitto.log"), "rb") as f:
            f.seek(self.broker_log_from)
            log = f.read().decode("utf-8", "replace")
        return set(re.findall(r" event=login\.refused client=\S+ user=(\S+) "
                              r".*\bwhy=revoked$", log, re.MULTILINE))

    def revoked_trouble(self, principal):
        return Trouble(f"{principal} is revoked: move {self.key(principal)} "
                       "away, and the next start makes a new key")

    def start_services(self):
        os.makedirs(self.path("work"), mode=0o700, exist_ok=True)
        for program, service, principal, _ in SERVICES:
            self.start_service(program, service, principal)
        for _, service, principal, _ in SERVICES:
            self.wait(lambda s=service, p=principal: self.ready(s)
                      or p in self.revoked(), 30, service)
            if principal in self.revoked():
                raise self.revoked_trouble(principal)

    def start_service(self, program, service, principal):
        schema = {"registry": "registry", "content-ingest": "content",
                  "scheduler": "scheduler",
                  "telemetry-collector": "telemetry"}[service]
        argv = [self.bin(program), "--pg", self.conninfo("loa_" + schema),
                "--mqtt-port", str(self.port), "--identity",
                self.key(principal), "--http-port",
                str(self.service_port(service))]
        if service == "content-ingest":
            argv += ["--work-dir", self.path("work"), "--encoder",
                     self.bin("loa-encode")]
        self.spawn(service, argv + self.options.get(service, []))

    def ready(self, service):
        url = f"http://127.0.0.1:{self.service_port(service)}/readyz"
        try:
            with urllib.request.urlopen(url, timeout=2) as r:
                return r.status == 200
        except OSError:
            return False

    # --- areas and loudspeakers ----------------------------------------------------

    def import_areas(self):
        return self.loactl("admin", "area", "import", self.areas)

    def communes(self):
        """Area paths of the communes in the file, in its order."""
        with open(self.areas, encoding="utf-8", newline="") as f:
            rows = {r["code"]: r for r in csv.DictReader(f)}

        def path(code):
            parent = rows[code]["parent"]
            return (path(parent) + "/" if parent else "") + code
        return [path(c) for c, r in rows.items() if r["tier"] == "commune"]

    def add_speaker(self, device, area, *more):
        folder = self.path("speakers", device)
        wav = self.path("wav", device + ".wav")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.makedirs(self.path("wav"), exist_ok=True)
        argv = [self.bin("loa-speaker"), "--mqtt-port", str(self.port),
                "--data-dir", folder, "--device", device, "--serial",
                "SN-" + device, "--root", self.root_key(), "--output",
                "wav:" + wav, *more]
        if not enrolled(folder):
            code = self.loactl("admin", "device", "enrol", area, "--id", device,
                               "--serial", "SN-" + device)["code"]
            argv += ["--code", code]
        self.speakers[device] = area
        self.spawn("speaker-" + device, argv)

    def online(self):
        """Devices that the collector believes to be online."""
        return {d["device"] for d in self.loactl("admin", "status")
                if d["presence"] == "online"}

    # --- supervision ---------------------------------------------------------------

    def spawn(self, name, argv, restart=True):
        os.makedirs(self.path("log"), exist_ok=True)
        self.processes[name] = Process(name, argv,
                                       self.path("log", name + ".log"),
                                       restart=restart)

    def _tend(self):
        while not self.stopping.wait(0.1):
            for p in list(self.processes.values()):
                if not self.stopping.is_set():
                    p.tend(self.tell_end)

    def tell_end(self, process):
        """Called when a program ended by itself, before it starts again."""

    def wait(self, condition, limit_s, what):
        """Until condition() holds; limit_s is only a limit."""
        end = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > end:
                logs = "; ".join(f"{p.name}: {p.last_line()}" for p in
                                 self.processes.values()
                                 if what in p.name or p.popen.poll() is not None)
                raise Trouble(f"{what} is not there after {limit_s} s; "
                              f"{logs or 'see ' + self.path('log')}")
            time.sleep(0.05)

    def start(self):
        """Everything but loudspeakers."""
        self.take_folder()
        self.take_lock()
        self.check_machine()
        self.make_keys()
        self.tender = threading.Thread(target=self._tend, daemon=True)
        self.start_pg()
        self.tender.start()
        self.start_broker()
        self.start_services()
        return self

    def stop(self):
        self.stopping.set()
        if self.tender is not None and self.tender.is_alive():
            self.tender.join()
        order = sorted(self.processes.values(), key=lambda p: (
            p.name == "postgres", p.name == "mosquitto",
            not p.name.startswith("speaker-")))
        for group in (lambda p: p.name.startswith("speaker-"),
                      lambda p: p.name not in ("postgres", "mosquitto"),
                      lambda p: True):
            members = [p for p in order if group(p)]
            for p in members:
                p.wanted = False
                if p.popen.poll() is None:
                    # SIGINT is PostgreSQL's fast shutdown.
                    p.popen.send_signal(signal.SIGINT if p.name == "postgres"
                                        else signal.SIGTERM)
            for p in members:
                p.stop()
        if self.socket_made:
            shutil.rmtree(self.socket_made, ignore_errors=True)
        if self.lock is not None:
            os.unlink(self.path("lock"))
            self.lock.close()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *exc):
        self.stop()
