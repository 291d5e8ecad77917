"""loa-speaker says what is signed: the sound, its moment, the receipts."""

from speaker_rig import AREA, RATE, Rig, correlate, speechlike


def check_said(pole, content, start_ms, within_ms=20):
    """The WAV holds the content, from its moment on, and nothing else."""
    pole.stop()
    heard = pole.samples()
    at = pole.index(start_ms)
    c, shift = correlate(heard, content.pcm, at)
    assert c >= 0.9, (c, shift)
    assert abs(shift) <= within_ms * RATE // 1000
    before, after = heard[:at - 480], heard[at + len(content.pcm) + 480:]
    assert not before.any() and not after.any()


def test_one_programme_is_played():
    with Rig() as rig:
        pole = rig.speaker().wait_online()
        content = rig.content(speechlike(3))
        start = rig.soon(3)
        b = rig.bulletin(content, start)
        rig.publish_programme(AREA, [b])
        rig.push(content, AREA)
        pole.wait_receipt("RECEIVED", b.id)
        pole.wait_receipt("VERIFIED", b.id)
        started = pole.wait_receipt("STARTED", b.id)
        done = pole.wait_receipt("FINISHED", b.id)
        assert abs(started.first_sample_us - start * 1000) < 20000
        assert done.first_sample_us == started.first_sample_us
        assert done.played_ms == 3000 and done.concealed_ms == 0
        assert done.content_hash == content.hash
        check_said(pole, content, start)
