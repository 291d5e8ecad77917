"""Sound to work on: the sound-card test words of alsa-utils, over and over."""
import wave

from demo import recording


def speech(stack, seconds):
    """A WAV of so many seconds of real voice below the stack's folder."""
    out = stack.path(f"speech-{seconds}.wav")
    with wave.open(recording(stack), "rb") as r, wave.open(out, "wb") as w:
        w.setparams(r.getparams())
        words = r.readframes(r.getnframes())
        frame = r.getnchannels() * r.getsampwidth()
        left = int(seconds * r.getframerate()) * frame
        while left > 0:
            w.writeframes(words[:left])
            left -= len(words)
    return out
