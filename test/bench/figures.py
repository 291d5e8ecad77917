"""What every bench needs: a table of figures, and what a process has used.

    table = Table("start")
    table.add("late", "ms", [3.1, 2.9, 4.0], note="want < 20")
    table.finish()          # prints it and writes build/bench/start.json

A figure is the median of its values with the lowest and the highest. Nothing
here judges: a bench measures, tests refuse.
"""
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("LOA_BUILD", "build/plain"))
OUT = os.path.join(TOP, "build", "bench")
for folder in ("test/integration", "deploy/local"):
    sys.path.insert(0, os.path.join(TOP, folder))


def number(x):
    """Four digits that matter."""
    if x == 0 or abs(x) >= 1000:
        return f"{x:.0f}"
    return f"{x:.3g}" if abs(x) < 100 else f"{x:.4g}"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        cpu = next((x.split(":")[1].strip() for x in f
                    if x.startswith("model name")), "?")
    return {"cpu": cpu, "cores": os.cpu_count(),
            "kernel": os.uname().release}


class Table:
    def __init__(self, name):
        self.name, self.rows = name, []
        self.load = [os.getloadavg()[0]]

    def add(self, figure, unit, values, note=""):
        values = list(values)
        row = {"bench": self.name, "figure": figure, "unit": unit,
               "median": statistics.median(values), "min": min(values),
               "max": max(values), "runs": len(values), "note": note,
               "command": f"make bench ONLY={self.name}", "values": values}
        self.rows.append(row)

    def finish(self):
        self.load.append(os.getloadavg()[0])
        os.makedirs(OUT, exist_ok=True)
        show(self.rows)
        print(f"{self.name}: load {self.load[0]:.1f} before, "
              f"{self.load[1]:.1f} after", flush=True)
        with open(os.path.join(OUT, self.name + ".json"), "w",
                  encoding="utf-8") as f:
            json.dump({"at": time.strftime("%FT%TZ", time.gmtime()),
                       "load": self.load, "figures": self.rows}, f, indent=1,
                      ensure_ascii=False)


def show(rows, file=None):
    """The table as text, in columns."""
    lines = [("figure", "median", "min..max", "runs", "command", "note")]
    for r in rows:
        lines.append((r["figure"], f"{number(r['median'])} {r['unit']}",
                      f"{number(r['min'])}..{number(r['max'])}",
                      str(r["runs"]), r["command"], r["note"]))
    widths = [max(len(x[i]) for x in lines) for i in range(6)]
    for x in lines:
        print("  ".join(c.ljust(w) for c, w in zip(x, widths)).rstrip(),
              file=file)


def markdown(rows, file):
    """The same for docs/benchmarks.md."""
    print("| figure | median | min..max | runs | command |\n"
          "|---|---|---|---|---|", file=file)
    for r in rows:
        note = f" ({r['note']})" if r["note"] else ""
        print(f"| {r['figure']}{note} | {number(r['median'])} {r['unit']} | "
              f"{number(r['min'])}..{number(r['max'])} | {r['runs']} | "
              f"`{r['command']}` |", file=file)


def percentile(values, share):
    """The smallest value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


# --- what a process uses ------------------------------------------------------

def cpu_s(pid):
    """CPU seconds of all threads that live, to the nanosecond."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat",
                  encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def status_kb(pid, field):
    """A line of /proc/PID/status: VmRSS, VmHWM, RssAnon, ..."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise KeyError(field)


def written_bytes(pid):
    """Bytes handed to write(2), to sockets as to files."""
    with open(f"/proc/{pid}/io", encoding="ascii") as f:
        return next(int(x.split()[1]) for x in f if x.startswith("wchar"))


def pid_of(process):
    return process.popen.pid


class Used:
    """CPU and wall seconds of a child with its children, and its own highest
    resident memory. That is asked for while it runs: wait4's figure counts
    what this process was before it became the child."""

    def __init__(self, argv, **kw):
        began = time.monotonic()
        child = subprocess.Popen(argv, **kw)
        self.rss_kb, pid = 0, 0
        while pid == 0:
            self.rss_kb = max(self.rss_kb, self._rss_kb(child.pid, argv[0]))
            time.sleep(0.02)
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.wall_s = time.monotonic() - began
        self.cpu_s = usage.ru_utime + usage.ru_stime
        if child.returncode != 0:
            raise RuntimeError(f"{argv[0]} ended with {child.returncode}")

    @staticmethod
    def _rss_kb(pid, program):
        try:
            if os.readlink(f"/proc/{pid}/exe") != os.path.realpath(program):
                return 0
            return status_kb(pid, "VmHWM")
        except (OSError, KeyError):  # It has just ended.
            return 0


def fdatasync_ms(folder, times=100):
    """What this disk asks for making 8 kB durable: the floor of a commit."""
    path = os.path.join(folder, "fdatasync")
    fd, took = os.open(path, os.O_RDWR | os.O_CREAT, 0o600), []
    try:
        os.write(fd, bytes(8192 * times))
        os.fsync(fd)
        for i in range(times):
            began = time.monotonic()
            os.pwrite(fd, bytes(8192), 8192 * i)
            os.fdatasync(fd)
            took.append((time.monotonic() - began) * 1000)
    finally:
        os.close(fd)
        os.unlink(path)
    return took
