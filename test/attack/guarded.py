"""The rig of the loudspeakers with the real broker: loa-auth is loaded, and each
service publishes with a login of its own."""
import threading
import time

from loa_broker import Broker, wait_until
from speaker_rig import Rig


class GuardedRig(Rig):
    """The same province, but each service publishes with its own login."""

    def start_broker(self):
        self.lists, self.revoked, self.list_number = threading.Lock(), [], 0
        self.ingest = self.province.service("content_08", "content-ingest",
                                            "vn/08")
        self.guard = Broker(self.root, folder=self.folder,
                            extra="max_inflight_messages 1000").start()
        self.port = self.guard.port

    def stop_broker(self, how=None):
        for c in self.guard.clients:
            c.close()
        self.guard.stop()

    def connect(self):
        join = self.guard.connect
        self.clients = {"programme": join(self.scheduler),
                        "content": join(self.ingest),
                        "trust": join(self.registry),
                        "ack": join(self.collector),
                        "command": join(self.commander)}
        self.clients["head"] = self.clients["programme"]
        up = self.clients["ack"]
        up.mqtt.on_message = self._on_message
        for kind in ("state", "receipt", "health"):
            assert up.subscribe(f"loa/1/up/{kind}/vn/08/#") == 1

    def publish(self, kind, where, payload, retain=False, qos=1):
        return self.clients[kind].mqtt.publish(f"loa/1/down/{kind}/{where}",
                                               payload, qos, retain)

    def revoke(self, who):
        """Attacks of one wave share the broker, and so its list."""
        with self.lists:
            self.revoked.append(who)
            self.list_number = max(self.list_number + 1, int(time.time()))
            self.publish_trust(self.list_number, revoked=list(self.revoked))
            wait_until(lambda: f"number={self.list_number} verdict=ok"
                       in self.guard.log(), "the list is in force")
