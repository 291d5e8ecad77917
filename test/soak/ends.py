"""Why processes ended: each end needs a cause that the history has."""
import collections

from check import logged_us

BELOW = ("postgres", "mosquitto")  # Who loses one of them may end itself.
KILL_US = 2_000_000   # So long after a kill it may be seen to have ended.
LOSS_US = 15_000_000  # So long after a loss or a fail point it may end itself.
# PostgreSQL does not start before all back ends of its last life are gone.
START_US = {"postgres": 15_000_000}


def crashes(rig):
    """Ends that nobody caused: a signal that was not ours, an assertion."""
    ends = [(f["name"], f["status"]) for f in rig.history.of("end")] + \
        [("loactl", f["code"]) for f in rig.history.of("asked")]
    return [f"{name} ended by signal {-status}" for name, status in ends
            if status in (-6, -11, -7, -8, -4)]


def unprovoked(rig):
    """Ends without a kill, a fail point that acted, or for a service the loss
    of the broker or the database."""
    kills, points = collections.defaultdict(list), collections.defaultdict(list)
    for f in rig.history.of("kill"):
        kills[f.get("name")].append(f["at_us"])
    for name, lines in rig.logs():
        points[name] += [logged_us(line) for line in lines
                         if "event=failpoint.hit" in line]
    out = []
    for f in rig.history.of("end"):
        name, at_us = f["name"], f["at_us"]
        service = not name.startswith("speaker-") and name not in BELOW
        causes = [(t, START_US.get(name, KILL_US)) for t in kills[name]]
        causes += [(t, LOSS_US) for t in points[name]]
        causes += [(t, LOSS_US) for lost in BELOW if service
                   for t in kills[lost]]
        if not any(0 <= at_us - t < most for t, most in causes):
            out.append(f"{name} ended by itself with {f['status']} at {at_us}")
    return out
