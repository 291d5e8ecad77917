"""loa-speaker without a clock, at a broker with the plugin: it hears the time,
and then may speak."""
import os
import subprocess

import pytest

from loa_broker import BUILD, Broker, wait_until
from loa_identity import (SCHEDULE, TIME, device, new_root, now_ms, pb,
                          programme, registry)
from loa_service import Shift

AREA = "vn/08/070"
DAY_S = 86400


@pytest.fixture(scope="module", name="shift")
def clock_that_is_set():
    shift = Shift()
    yield shift
    shift.remove()


class Timekeeper:
    """Answers TimeRequests, as loa-scheduler does."""

    def __init__(self, broker, identity):
        self.identity, self.asked_n = identity, 0
        self.client = broker.connect(identity)
        self.client.mqtt.on_message = self._on_message
        assert self.client.subscribe(f"loa/1/rpc/scheduler/{AREA}/#") == 1

    def _on_message(self, _client, _data, m):
        nonce = registry.TimeRequest.FromString(m.payload).nonce
        self.asked_n += 1
        self.client.mqtt.publish(
            "loa/1/down/head/" + m.topic.split("scheduler/")[1],
            self.identity.envelope(pb.TYPE_HEAD, programme.Head(
                time_ms=now_ms(), nonce=nonce), area=AREA, ttl_ms=900000), 1)


@pytest.mark.parametrize("shift_s", [-400 * DAY_S, 400 * DAY_S, 0])
def test_who_learns_the_time_may_speak(shift, tmp_path, shift_s):
    shift.set(shift_s)
    root = new_root()
    ministry = root.authority("ministry", "vn")
    pole = ministry.device("pole_1", AREA)
    with Broker(root) as broker:
        clock = Timekeeper(broker, ministry.service(
            "clock", "scheduler", "vn", powers=SCHEDULE | TIME))
        ear = broker.connect(ministry.service("ear", "telemetry-collector",
                                              "vn"))
        assert ear.subscribe(f"loa/1/up/state/{AREA}/#") == 1
        log = open(tmp_path / "log", "w+", encoding="utf-8")
        speaker = subprocess.Popen(
            [os.path.join(BUILD, "loa-speaker"), "--data-dir",
             str(tmp_path / "data"), "--identity",
             pole.save(str(tmp_path / "pole.id")), "--mqtt-port",
             str(broker.port), "--clock", "none", "--output",
             f"wav:{tmp_path}/pole.wav"],
            env=dict(os.environ, **shift.env),
            stdout=log, stderr=log)
        try:
            m = ear.wait_message()
            state = device.State.FromString(m.payload)
            while state.presence != device.PRESENCE_ONLINE:
                m = ear.wait_message()
                state = device.State.FromString(m.payload)
            wait_until(lambda: clock.asked_n > 0, "a question")

            def text_of_log():
                log.seek(0)
                return log.read()
            # It goes by the answer now; one login was enough for that.
            wait_until(lambda: "event=time.known" in text_of_log(), "the time")
            text = text_of_log()
            assert text.count("event=mqtt.login_again") == (shift_s != 0), text
            assert text.count("event=mqtt.connected") == 1 + (shift_s != 0)
        finally:
            speaker.terminate()
            speaker.wait(10)
            log.close()
