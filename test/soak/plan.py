"""What is killed when: a list that depends on the seed alone.

Kinds take turns in shuffled blocks, so that every kind gets its share, and
each kind goes through its own shuffled list of fail points. Gaps are part of
the list; what the programs are doing at that moment is not.
"""
import glob
import os
import random
import re

SERVICES = ("registry", "content-ingest", "scheduler", "telemetry-collector")
KINDS = ("postgres", "broker", *SERVICES, "loactl", "speaker")
ROLES = ("registry", "content", "scheduler", "telemetry")
ACTIONS = ("abort", "abort", "abort", "eio", "delay=300")
QUIET_SHARE = 0.1  # So often there is time to breathe.


def fail_points(top):
    """{kind of process: names}, read from the sources."""
    found = {k: set() for k in KINDS}
    for path in sorted(glob.glob(os.path.join(top, "**", "*.c"),
                                 recursive=True)):
        name = os.path.relpath(path, top)
        with open(path, encoding="utf-8") as f:
            points = re.findall(r'\bFAILPOINT\("([^"]+)"\)', f.read())
        for kind in _programs_of(name) if points else ():
            found[kind].update(p for p in points if _uses(top, kind, p))
    return {k: sorted(v) for k, v in found.items() if v}


def _programs_of(path):
    if path.startswith("proto/"):
        return (*SERVICES, "loactl", "speaker")
    if path.startswith("services/common/"):
        return SERVICES
    if path.startswith("devices/speaker/"):
        return ("speaker",)
    parts = path.split("/")
    return (parts[1],) if parts[0] == "services" and parts[1] in KINDS else ()


def _uses(top, kind, point):
    """Does this program ever pass a point of the runtime?"""
    word = {"pg_copy": "pg_copy_", "outbox": "outbox_put"}.get(
        point.split(".")[0])
    if word is None or kind not in SERVICES:
        return True
    for path in glob.glob(os.path.join(top, "services", kind, "*.c")):
        with open(path, encoding="utf-8") as f:
            if word in f.read():
                return True
    return False


class Points:
    """The fail points of one kind in random order, again and again: with every
    action once before one comes a second time."""

    def __init__(self, rng, names):
        self.rng, self.names, self.left = rng, names, []

    def next(self):
        if not self.left:
            self.left = [(n, a) for n in self.names for a in set_of(ACTIONS)]
            self.rng.shuffle(self.left)
        name, action = self.left.pop()
        return f"{name}:{self.rng.choice((1, 1, 1, 2, 2, 3, 5))}:{action}"


def set_of(actions):
    return sorted(set(actions))


def _method(rng, kind, points):
    if kind == "postgres":
        how = rng.choice(("kill", "kill", "stop", "backend-kill",
                          "backend-kill", "backend-stop"))
        return {"how": how, "role": rng.choice(ROLES)}
    if kind == "broker":
        return {"how": rng.choice(("kill", "kill", "stop"))}
    how = rng.choice(("kill", "kill", "stop", "point", "point"))
    more = {"point": points[kind].next()} if how == "point" else {}
    if kind == "loactl":
        more["after_ms"] = rng.randint(5, 120)
    return {"how": how, **more}


def plan(seed, n, speakers, top):
    """n kills: {n, gap_s, kind, how, ...}."""
    rng = random.Random(f"kills {seed}")
    points = {k: Points(rng, v) for k, v in fail_points(top).items()}
    kills, block = [], []
    for i in range(n):
        if not block:
            block = list(KINDS) * 2
            rng.shuffle(block)
        kind = block.pop()
        gap = rng.uniform(0.1, 0.9)
        if rng.random() < QUIET_SHARE:
            gap += 2.5
        kill = {"n": i, "gap_s": round(gap, 3), "kind": kind,
                "ready": rng.random() < 0.7,
                "stop_s": round(rng.uniform(1, 3), 2)}
        if kind == "speaker":
            kill["device"] = rng.choice(speakers)
        kills.append({**kill, **_method(rng, kind, points)})
    return kills
