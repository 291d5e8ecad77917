"""loa-speaker on a sound card: one that a plugin of alsa-lib pretends to be."""
import os
import subprocess

import numpy as np
import pytest

import loa_identity as li
from loa_broker import wait_until
from speaker_rig import AREA, RATE, Rig, Speaker, correlate, speechlike

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture(scope="module", name="card")
def build_card(tmp_path_factory):
    """The plugin and an asound.conf that names it."""
    folder = tmp_path_factory.mktemp("card")
    library = str(folder / "loacard.so")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-DPIC", "-D_GNU_SOURCE",
         "-o", library, os.path.join(HERE, "alsa_card.c"), "-lasound"],
        check=True)
    conf = folder / "asound.conf"
    conf.write_text('pcm_type.loacard { lib "%s" }\n'
                    "pcm.card { type loacard }\n" % library)
    return str(conf)


class CardSpeaker(Speaker):
    def __init__(self, rig, card, ppm=0, stall=0):
        super().__init__(rig, "pole_1", AREA, start=False)
        rig.speakers.append(self)
        self.raw = os.path.join(self.folder, "card.raw")
        self.env = {"ALSA_CONFIG_PATH": card, "LOA_CARD_FILE": self.raw,
                    "LOA_CARD_PPM": str(ppm), "LOA_CARD_STALL": str(stall)}
        self.start(self.env)

    def argv(self):
        return [("alsa:card" if a.startswith("wav:") else a)
                for a in super().argv()]

    def heard(self):
        return np.fromfile(self.raw, np.int16)

    def index(self, at_ms):
        with open(self.raw + ".start_us", encoding="ascii") as f:
            return int((at_ms * 1000 - int(f.read())) * RATE // 1000000)


@pytest.mark.parametrize("ppm", [0, 300, -300])
def test_on_a_card(card, ppm):
    with Rig() as rig:
        pole = CardSpeaker(rig, card, ppm).wait_online()
        content = rig.content(speechlike(4))
        starts = [rig.soon(3), rig.soon(9)]
        b = rig.bulletin(content, *starts)
        rig.publish_programme(AREA, [b])
        rig.push(content, AREA)
        pole.wait_receipt("FINISHED", b.id, count=2)
        firsts = [r.first_sample_us for r in pole.receipts("STARTED", b.id)]
        assert "underrun" not in pole.log()
        pole.stop()
        for start, first in zip(starts, firsts):
            assert abs(first - start * 1000) < 20000
            c, shift = correlate(pole.heard(), content.pcm[:RATE],
                                 pole.index(start))
            assert c > 0.9 and abs(shift) < RATE // 200, (c, shift)


def test_stop_is_at_once(card):
    """What the card still buffers is thrown away."""
    with Rig() as rig:
        pole = CardSpeaker(rig, card).wait_online()
        content = rig.content(speechlike(6))
        start = rig.soon(2)
        b = rig.bulletin(content, start)
        rig.publish_programme(AREA, [b])
        rig.push(content, AREA)
        pole.wait_receipt("STARTED", b.id)
        wait_until(lambda: len(pole.heard()) > pole.index(start) + RATE,
                   "a second of it")
        sent = li.now_ms()
        rig.command(AREA, stop=b.id)
        pole.wait_receipt("INTERRUPTED", b.id)
        pole.stop()
        heard = pole.heard()
        last = len(heard) - np.argmax(heard[::-1] != 0)
        assert last < pole.index(sent) + RATE * 0.3


def test_the_end_after_an_underrun_is_heard(card):
    """The card runs dry when less than its buffer is left to say."""
    with Rig() as rig:
        content = rig.content(speechlike(4))
        tail = content.pcm[-RATE // 10:]
        pole = CardSpeaker(rig, card, stall=len(content.pcm) - RATE // 4)
        pole.wait_online()
        starts = [rig.soon(2), rig.soon(10)]
        b = rig.bulletin(content, *starts)
        rig.publish_programme(AREA, [b])
        rig.push(content, AREA)
        pole.wait_receipt("FINISHED", b.id, count=2)
        assert pole.log().count("sound.underrun") == 1
        pole.stop()
        heard = pole.heard()[pole.index(starts[0]):
                             pole.index(starts[1]) - RATE // 10]
        last = len(heard) - np.argmax(heard[::-1] != 0)
        assert last > len(content.pcm)  # It went on after the silence.
        c, _ = correlate(heard, tail, last - len(tail))
        assert c > 0.9, c


def test_a_card_that_failed_once_sounds_again(card):
    """It went away in the midst of a bulletin and is there for the next."""
    with Rig() as rig:
        pole = CardSpeaker(rig, card).wait_online()
        content = rig.content(speechlike(3))
        first = rig.bulletin(content, rig.soon(2))
        rig.publish_programme(AREA, [first])
        rig.push(content, AREA)
        pole.wait_receipt("STARTED", first.id)
        with open(pole.raw + ".unplug", "w", encoding="ascii"):
            pass
        pole.wait_receipt("INTERRUPTED", first.id)
        start = rig.soon(3)
        second = rig.bulletin(content, start)
        rig.publish_programme(AREA, [second])
        pole.wait_receipt("FINISHED", second.id)
        assert pole.log().count("sound.lost") == 1
        pole.stop()
        c, _ = correlate(pole.heard(), content.pcm[:RATE], pole.index(start))
        assert c > 0.9


def test_card_that_is_not_there(card):
    with Rig() as rig:
        pole = rig.speaker(options=["--output", "alsa:nothing"],
                           start=False)
        pole.start({"ALSA_CONFIG_PATH": card})
        pole.wait_online()  # The network goes on, and tells.
        content = rig.content(speechlike(1))
        b = rig.bulletin(content, rig.soon(2))
        rig.publish_programme(AREA, [b])
        rig.push(content, AREA)
        r = pole.wait_receipt("REFUSED", b.id)
        assert r.reason == "sound"
        assert list(rig.healths["pole_1"].faults) == ["sound"]
