"""A province for tests of loa-scheduler: broker, database, registry, staff."""
import os

import pytest
from loa_broker import Broker, wait_until
from loa_identity import (CONTENT_APPROVE, DELEGATE, REVOKE, SCHEDULE, TIME,
                          content, new_root, open_envelope, pb, programme,
                          services)
from loa_service import Asker, Postgres, Registry, Service

DISTRICTS = ["vn/08/070", "vn/08/071", "vn/08/072"]
COMMUNES = [f"{d}/{d[-3:]}{n:02d}" for d in DISTRICTS for n in (1, 2, 3)]
AREAS = ["vn", "vn/08"] + DISTRICTS + COMMUNES
OK, INVALID, NOT_ALLOWED, NOT_FOUND, CONFLICT, EXISTS, PAST = range(7)
NOT_APPROVED, TOO_LARGE, BUSY, FAILED, EXPIRED, REVOKED = range(7, 13)
NORMAL, PRIORITY = 1, 2
MINUTE, HOUR, DAY = 60000, 3600000, 86400000


class World:
    """A province: broker, database, registry, scheduler, staff."""

    def __init__(self, pg, *options, area="vn/08", registry=True):
        pg.query("TRUNCATE scheduler.bulletin, scheduler.approval,"
                 " scheduler.programme, scheduler.outbox, scheduler.inbox,"
                 " scheduler.area, scheduler.area_sync, scheduler.trust_list,"
                 " scheduler.bulletin_past, scheduler.released")
        self.pg, self.root = pg, new_root()
        self.province = self.root.authority("province", area)
        self.scheduler_id = self.province.service(
            "scheduler", "scheduler", area, powers=SCHEDULE | TIME)
        self.registry_id = self.province.service(
            "registry", "registry", area, powers=DELEGATE | REVOKE,
            max_depth=1)
        self.minh = self.province.staff("minh", area, powers=CONTENT_APPROVE)
        self.lan_id = self.province.staff("lan", area, powers=SCHEDULE)
        self.area = area
        self.broker = Broker(self.root).start()
        self.registry = None
        if registry:
            self.start_registry()
        self.service = Service("scheduler", self.scheduler_id, pg, self.broker,
                               "--min-lead", "500ms", *options)
        self.service.start(wait=registry)
        self.lan = self.asker(self.lan_id)

    def start_registry(self):
        self.registry = Registry(self.broker, self.registry_id, AREAS, page=5)

    def check_refused_registry(self, identity, verdict):
        """What a registry with this identity says is not taken."""
        self.service.stop()     # Nothing may be asked of the true one yet.
        self.start_registry()
        self.registry.identity = identity
        self.service.start(wait=False)
        wait_until(lambda: f"event=sync.refused verdict={verdict}"
                   in self.service.log(), "it is refused")
        assert self.pg.one("SELECT count(*) FROM scheduler.area") == "0"
        self.registry.identity = self.registry_id
        wait_until(self.service.ready, "the true one answers")

    def asker(self, who):
        return Asker(self.broker.connect(who), who)

    def close(self):
        self.service.remove()
        self.broker.__exit__()

    def approval(self, title="Bản tin sáng", duration_ms=10000, area=None,
                 who=None, ttl_ms=30 * DAY):
        manifest = content.ContentManifest(
            content_hash=os.urandom(32), title=title, stream_key=os.urandom(32),
            packets_n=50, frames_n=500, duration_ms=duration_ms, language="vi",
            media=content.MEDIA_AUDIO)
        return (who or self.minh).envelope(pb.TYPE_APPROVAL, manifest,
                                           area=area or self.area, ttl_ms=ttl_ms)

    def add(self, areas, start_ms, asker=None, message_id=None, class_=NORMAL,
            **more):
        if isinstance(areas, str):
            areas = [areas]
        more.setdefault("bulletin_id", os.urandom(16))
        if "approval" not in more:
            more["approval"] = self.approval()
        request = services.ScheduleAdd(areas=areas, start_at_ms=start_ms,
                                       **more)
        setattr(request, "class", class_)
        return (asker or self.lan).scheduler(add=request,
                                             message_id=message_id)

    def retained(self, kind, area):
        """The newest retained document: (Signed, body), or None."""
        c = self.broker.connect(self.province.device(
            "pole_" + os.urandom(4).hex(), area))
        try:
            c.subscribe(f"loa/1/down/{kind}/{area}")
            got = [m for m in c.drain() if m.retain]
        finally:
            c.close()
        if not got:
            return None
        signed, _ = open_envelope(got[-1].payload)
        body = {"programme": programme.Programme, "head": programme.Head}
        return signed, body[kind].FromString(signed.body), got[-1].payload

    def programme(self, area):
        got = self.retained("programme", area)
        return got[1] if got else None

    def wait_programme(self, area, version):
        def have():
            p = self.programme(area)
            return p if p and p.version >= version else None
        return wait_until(have, f"programme {version} of {area}")


@pytest.fixture(scope="module")
def pg():
    with Postgres() as p:
        yield p


@pytest.fixture
def world(pg):
    w = World(pg)
    yield w
    w.close()


def ids(p):
    return [b.bulletin_id for b in p.bulletins]
