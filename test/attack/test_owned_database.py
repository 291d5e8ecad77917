"""The attacker owns PostgreSQL: rows are changed behind the services, which are
then killed, come back, read what they find, and publish it.

Everything is real: services, broker with loa-auth, loudspeakers. The services'
keys are honest, so what the scheduler finds in its rows it may sign; what the
loudspeaker believes of it is what an approver signed. One commune with one
loudspeaker for each attack, all at the same moment. Nothing of `evil`, which
nobody approved, may be heard anywhere; and honest bulletins must sound
everywhere afterwards, the rows still being what the attacker made of them."""
import os

import pytest

import loa_identity as li
from loa_identity import content as cpb, pb, programme as ppb
from province import LIMIT_S, Province, ms

ATTACKS = {}
MARGIN = 0.7        # below it a correlation says: this was not heard


def attack(stands_for):
    """P1..P10, #1..#16, M1..M11 of docs/security.md."""
    def add(f):
        f.stands_for = stands_for
        ATTACKS[f.__name__] = f
        return f
    return add


class Row:
    """One attack: its commune, its loudspeaker, its genuine bulletin."""

    def __init__(self, stage, n, name):
        self.stage, self.p = stage, stage.province
        self.name, self.area, self.device = name, stage.communes[n], f"p{n}"
        self.content = stage.genuine
        self.entry = None

    def sql(self, query):
        return self.p.sql(query)

    def bulletin(self):
        return f"bulletin_id = '\\x{self.entry['bulletin']}'"

    def forged(self, hash_, area="vn", manifest=None):
        """An approval by an approver of the attacker's own making."""
        root = li.new_root()
        mine = root.authority("authority", "vn").staff(
            "minh", "vn", powers=li.CONTENT_APPROVE)
        m = manifest or cpb.ContentManifest(
            content_hash=bytes.fromhex(hash_), stream_key=bytes(32),
            packets_n=1, frames_n=10, duration_ms=200, media=1, language="vi")
        return mine.envelope(pb.TYPE_APPROVAL, m, area=area,
                             ttl_ms=li.DAY_MS)


def hex_(data):
    return f"'\\x{data.hex()}'::bytea"


# --- before the device has anything ---------------------------------------------------

def packets_swapped(stage):
    """Every packet of a genuine content replaced by one of `evil`."""
    p = stage.province
    p.sql("UPDATE content.packet a SET body = b.body FROM content.packet b, "
          "content.content ca, content.content cb WHERE "
          f"ca.content_hash = '\\x{stage.swapped['content']}' AND "
          f"cb.content_hash = '\\x{stage.evil['content']}' AND "
          "a.stream_key = ca.stream_key AND b.stream_key = cb.stream_key "
          "AND b.sequence = a.sequence % cb.packets_n")


@attack("P1 P2 #5 #10")
def packets_swapped_in_the_database(r):
    """packets_swapped(), before this was planned."""


# --- rows of the scheduler ----------------------------------------------------------------

@attack("P2 P8 #5")
def approval_points_to_other_content(r):
    r.sql("INSERT INTO scheduler.approval SELECT '\\x" + "01" * 32 + "', "
          f"envelope, '\\x{r.stage.evil['content']}', approved_by, expires_at "
          "FROM scheduler.approval WHERE approval_id = (SELECT approval_id "
          f"FROM scheduler.bulletin WHERE {r.bulletin()})")
    r.sql("UPDATE scheduler.bulletin SET revision = revision + 1000, "
          "approval_id = '\\x" + "01" * 32 + f"' WHERE {r.bulletin()}")


@attack("P1 P2 P8 #5")
def approval_bytes_forged(r):
    e = r.forged(r.stage.evil["content"])
    r.sql("INSERT INTO scheduler.approval VALUES ('\\x" + "02" * 32 + "', "
          f"{hex_(e)}, '\\x{r.stage.evil['content']}', 'minh', now() + "
          "interval '1 day')")
    r.sql("UPDATE scheduler.bulletin SET revision = revision + 1000, "
          "approval_id = '\\x" + "02" * 32 + f"' WHERE {r.bulletin()}")


@attack("P1 P2 #5")
def manifest_inside_the_approval_changed(r):
    """The genuine envelope with the hash of `evil` in the place of its own."""
    p = bytes.fromhex(r.sql("SELECT encode(envelope, 'hex') FROM "
                            "scheduler.approval WHERE approval_id = (SELECT "
                            "approval_id FROM scheduler.bulletin WHERE "
                            f"{r.bulletin()})"))
    e = p.replace(bytes.fromhex(r.content["content"]),
                  bytes.fromhex(r.stage.evil["content"]))
    assert e != p
    r.sql("INSERT INTO scheduler.approval VALUES ('\\x" + "03" * 32 + "', "
          f"{hex_(e)}, '\\x{r.stage.evil['content']}', 'minh', now() + "
          "interval '1 day')")
    r.sql("UPDATE scheduler.bulletin SET revision = revision + 1000, "
          "approval_id = '\\x" + "03" * 32 + f"' WHERE {r.bulletin()}")


@attack("P1 P2 #9")
def areas_widened(r):
    """Content approved for one commune alone, planned for this one too."""
    r.sql("UPDATE scheduler.bulletin SET revision = revision + 1000, areas = "
          f"areas || '{r.area.replace('/', '.')}'::ltree WHERE bulletin_id = "
          f"'\\x{r.stage.narrow_entry['bulletin']}'")


@attack("P1 P2 #5")
def programme_in_the_outbox_forged(r):
    """The retained bytes themselves: signed by the attacker's own root."""
    root = li.new_root()
    mine = root.authority("authority", "vn").service(
        "scheduler", "scheduler", "vn", powers=li.SCHEDULE | li.TIME)
    p = ppb.Programme(version=li.now_ms() + 60000,
                      approvals=[r.forged(r.stage.evil["content"])])
    b = p.bulletins.add(bulletin_id=bytes(16), duration_ms=1000, title="x",
                        starts_at_ms=[r.stage.start],
                        content_hash=bytes.fromhex(r.stage.evil["content"]))
    setattr(b, "class", 2)
    body = mine.envelope(pb.TYPE_PROGRAMME, p, area=r.area, ttl_ms=li.DAY_MS)
    r.sql(f"UPDATE scheduler.outbox SET body = {hex_(body)} WHERE topic = "
          f"'loa/1/down/programme/{r.area}'")


@attack("P2 P3 #5")
def programme_rows_rolled_back(r):
    """The scheduler believes that it is a year ago."""
    r.sql("UPDATE scheduler.programme SET version = 1, revision = 0 WHERE "
          f"area = '{r.area.replace('/', '.')}'")


@attack("P2 P3 #5")
def trust_lists_and_areas_deleted(r):
    """Every service forgets whom not to believe, and where places are."""
    for schema in ("content", "scheduler", "telemetry"):
        r.sql(f"DELETE FROM {schema}.trust_list")
    r.sql("UPDATE scheduler.area SET name = 'Xã của kẻ tấn công'")


@attack("P1 P2 #10")
def content_row_points_to_other_packets(r):
    """content-ingest believes that the genuine content has evil's stream."""
    r.sql("UPDATE content.content SET manifest = (SELECT manifest FROM "
          "content.content WHERE content_hash = '\\x"
          f"{r.stage.evil['content']}') WHERE content_hash = "
          f"'\\x{r.stage.genuine['content']}'")


class Stage:
    """A province in which all of it has happened, once."""

    def __init__(self, province):
        self.province = p = province
        p.import_areas()
        self.communes = p.communes()[:len(ATTACKS)]
        assert len(self.communes) == len(ATTACKS)
        p.speak_up({f"p{n}": a for n, a in enumerate(self.communes)})
        self.evil = p.say("Đây là lời của kẻ tấn công, không ai đã duyệt nó "
                          "và không được phép phát.")
        self.genuine = p.say("Hợp tác xã mời bà con họp vào sáng mai.")
        self.swapped = p.say("Trạm y tế tiêm phòng cho trẻ em trong xã.")
        self.narrow = p.say("Chỉ một xã được nghe bản tin này mà thôi.")
        self.good = p.say("Uỷ ban chúc bà con một ngày tốt lành.")
        for c in (self.genuine, self.swapped, self.good):
            p.approve(c)
        p.approve(self.narrow, area=self.communes[0])
        packets_swapped(self)
        self.attack()
        self.afterwards()

    def attack(self):
        p = self.province
        rows = {name: Row(self, n, name) for n, name in enumerate(ATTACKS)}
        self.start = ms(30)
        for n, r in enumerate(rows.values()):
            r.entry = p.at(self.swapped if n == 0 else self.genuine, r.area,
                           self.start)
        self.narrow_entry = p.at(self.narrow, self.communes[0],
                                 self.start + 9000)
        for name, f in ATTACKS.items():
            f(rows[name])
        for service in ("scheduler", "content-ingest", "registry",
                        "telemetry-collector"):
            p.kill(service)
        assert ms(0) < self.start - 4000, "this machine is too busy"
        p.wait(lambda: ms(0) > self.start + 14000, 60, "the moment")
        self.rows = rows

    def afterwards(self):
        p = self.province
        for service in ("scheduler", "content-ingest", "registry",
                        "telemetry-collector"):
            p.wait(lambda s=service: p.ready(s), LIMIT_S, service)
        entry = p.at(self.good, self.communes, ms(8))
        devices = {f"p{n}" for n in range(len(self.communes))}
        try:
            p.wait(lambda: p.who(entry, "finished") >= devices, 40, "all")
        finally:
            self.finished = p.who(entry, "finished")


@pytest.fixture(scope="module")
def stage():
    with Province() as p:
        yield Stage(p)


@pytest.mark.parametrize("name", ATTACKS)
def test_owned_database(stage, name):
    r, p = stage.rows[name], stage.province
    assert p.heard(r.device, stage.evil) < MARGIN
    if r.area != stage.communes[0]:
        assert p.heard(r.device, stage.narrow) < MARGIN
    if name == "packets_swapped_in_the_database":
        assert r.device not in p.who(r.entry, "started")
    assert r.device in stage.finished
    assert p.heard(r.device, stage.good) >= 0.9


def test_whole_stack_listens_on_loopback(stage):
    """P5 #6 #7 #16: broker and services on 127.0.0.1 alone, PostgreSQL on a socket
    in a folder that only its owner enters."""
    children = {str(x.popen.pid) for x in stage.province.processes.values()}
    while True:         # Some are started through another program.
        more = {p for p in os.listdir("/proc") if p.isdigit()
                and parent(p) in children} - children
        if not more:
            break
        children |= more
    found, unix = set(), []
    for pid in children:
        inodes = {os.path.realpath(f"/proc/{pid}/fd/{fd}") for fd in fds(pid)}
        for table in ("tcp", "tcp6"):
            for x in rows(table):
                if f"/proc/{pid}/fd/socket:[{x[9]}]" in inodes \
                        and x[3] == "0A":
                    found.add(x[1].split(":")[0])
        unix += [x[7] for x in rows("unix") if len(x) > 7 and
                 f"/proc/{pid}/fd/socket:[{x[6]}]" in inodes]
    assert found == {"0100007F"}
    files = [u for u in unix if u.startswith("/")]
    assert files and all(os.stat(os.path.dirname(u)).st_mode & 0o077 == 0
                         for u in files)


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rpartition(")")[2].split()[1]
    except OSError:
        return ""


def fds(pid):
    try:
        return os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return []


def rows(table):
    with open(f"/proc/net/{table}", encoding="ascii") as f:
        return [x.split() for x in f.read().splitlines()[1:]]
