"""Has everything settled? What the tables, the devices' logs and the retained
documents hold agrees."""
import json
import struct


def rows(rig, query):
    text = rig.sql(f"SELECT coalesce(json_agg(t), '[]') FROM ({query}) t")
    return json.loads(text)


def log_end(rig, device):
    """(log id, last sequence) in the speaker's own log; None: unreadable."""
    try:
        with open(rig.path("speakers", device, "receipts"), "rb") as f:
            data = f.read()
    except OSError:
        return None
    if len(data) < 128:
        return None
    first, = struct.unpack_from("<Q", data, 17)
    return data[1:17].hex(), first + len(data) // 128 - 2


def unacknowledged(rig):
    """Devices whose log holds more than the collector has committed."""
    have = {r["device"]: (r["log"], r["committed"]) for r in rows(rig, """
        SELECT device, encode(log_id, 'hex') log, committed
        FROM telemetry.device""")}
    out = []
    for d in rig.speakers:
        end = log_end(rig, d)
        log, committed = have.get(d, (None, 0))
        if end is None or (end[1] > 0 and (log != end[0]
                                           or committed < end[1])):
            out.append((d, end, committed))
    return out


def unequal_documents(rig):
    """Retained documents that are not what the outboxes say."""
    import loa_broker
    import loa_identity
    want = {}
    for schema in ("registry", "content", "scheduler", "telemetry"):
        for r in rows(rig, f"SELECT topic, encode(body, 'hex') body FROM "
                           f"{schema}.outbox"):
            want[r["topic"]] = bytes.fromhex(r["body"])

    class At:
        port, name = rig.port, "loa"
    who = loa_identity.load(rig.key("lan"))
    c = loa_broker.Client(At, who, client_id="lan-check")
    c.open()
    have = {}
    for kind in ("down/programme", "down/trust"):
        c.subscribe(f"loa/1/{kind}/vn/#")
    for m in c.drain():
        have[m.topic] = m.payload
    c.close()
    owned = {t: b for t, b in want.items()
             if t.split("/")[2:4] in (["down", "programme"], ["down", "trust"])}
    out = [f"{t} differs" for t, b in owned.items()
           if have.get(t, b"") != b]
    return out + [f"{t} has no owner" for t in have if t not in want]
