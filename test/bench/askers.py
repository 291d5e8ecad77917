"""Many people asking at once: MQTT connections that stay, one process.

Requests are signed before the clock runs, answers are read after it, so that
little but the network lies between: this process shares the machine with what
it measures.
"""
import collections
import selectors
import time

import paho.mqtt.client as mqtt

from loa_identity import pb, services

LIMIT_S = 60

#  sent at, answered at (monotonic seconds), the answer's envelope
Asked = collections.namedtuple("Asked", "sent_s answered_s envelope")


class Asker:
    def __init__(self, who, port, selector):
        self.who, self.selector = who, selector
        self.reply = f"loa/1/rpc/reply/{who.area}/@{who.principal}"
        self.ready, self.sent_s = False, None
        self.todo, self.done = collections.deque(), []
        self.client = mqtt.Client(who.principal, protocol=mqtt.MQTTv5)
        self.client.username_pw_set(who.principal, who.password())
        self.client.on_connect = lambda c, u, f, rc, p: c.subscribe(
            self.reply, 1)
        self.client.on_subscribe = self.on_ready
        self.client.on_message = self.on_message
        self.client.connect("127.0.0.1", port, 60)
        selector.register(self.client.socket(), selectors.EVENT_READ, self)

    def on_ready(self, _client, _data, _mid, codes, _properties):
        assert codes[0].value <= 1, codes
        self.ready = True

    def on_message(self, _client, _data, m):
        self.done.append(Asked(self.sent_s, time.monotonic(), m.payload))
        self.sent_s = None
        self.ask()

    def ask(self):
        if self.todo:
            service, envelope = self.todo.popleft()
            self.sent_s = time.monotonic()
            self.client.publish(f"loa/1/rpc/{service}/{self.who.area}/"
                                f"@{self.who.principal}", envelope, 1)

    def turn(self):
        """Whatever its socket has to say."""
        if self.client.loop_read() != 0:
            raise ConnectionError(f"{self.who.principal} was disconnected")

    def push(self):
        while self.client.want_write():
            self.client.loop_write()

    def scheduler(self, **what):
        """Add a request to those that will be asked, one after another."""
        self.todo.append(("scheduler", self.who.envelope(
            pb.TYPE_SCHEDULER_REQUEST, services.SchedulerRequest(**what))))


class Crowd:
    """with Crowd(port, identities) as crowd: all are connected."""

    def __init__(self, port, identities):
        self.selector = selectors.DefaultSelector()
        self.askers = [Asker(who, port, self.selector) for who in identities]
        self.until(lambda: all(a.ready for a in self.askers))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for a in self.askers:
            a.client.disconnect()
            a.push()
        self.selector.close()

    def until(self, condition):
        end = time.monotonic() + LIMIT_S
        for a in self.askers:
            a.push()
        while not condition():
            for key, _ in self.selector.select(0.2):
                key.data.turn()
                key.data.push()
            if time.monotonic() > end:
                raise TimeoutError("no answer")

    def ask_all(self):
        """Everything that was added, each asker one at a time; what came."""
        wanted = sum(len(a.todo) for a in self.askers)
        for a in self.askers:
            a.done = []
            a.ask()
        self.until(lambda: sum(len(a.done) for a in self.askers) == wanted)
        return [x for a in self.askers for x in a.done]


def answer(asked):
    """The scheduler's answer in it."""
    envelope = pb.Envelope.FromString(asked.envelope)
    signed = pb.Signed.FromString(envelope.signed)
    return services.SchedulerAnswer.FromString(signed.body)
