"""Plain advice on recordings, from their measurements.

Notebook: 01_data
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from svcnb.prepare.report import SpeakerReport

LITTLE, ENOUGH = (
    1.0,
    10.0,
)  # minutes: below the first a voice is hardly recognised, from the second on it is learnt well
CLIPPED = 1e-4  # share of clipped samples that can be heard
NOISY = 25.0  # dB from noise to voice, below which noise is learnt with the voice
NARROW = 7.0  # semitones: a fifth
DULL = 32000  # Hz: a lower rate has no brilliance to learn
UNEVEN = 5.0  # times as much material of one speaker as of another


def advise(speakers: dict[str, "SpeakerReport"], skipped: list[tuple[str, str]]) -> list[str]:
    """Sentences on what to improve, most important first; one that says so when nothing is."""
    advice = [sentence for name, speaker in speakers.items() for sentence in _on_speaker(name, speaker)]
    minutes = {name: speaker.minutes for name, speaker in speakers.items()}
    most, least = max(minutes, key=minutes.get), min(minutes, key=minutes.get)
    if minutes[most] > UNEVEN * minutes[least]:
        advice.append(
            f"{most} has {minutes[most] / minutes[least]:.0f} times as much as {least}, whose voice will be learnt "
            "less well; record more, or train the two apart."
        )
    if len(speakers) == 1:
        advice.append("There is one speaker: fine for one voice; to mix voices, record another.")
    if skipped:
        advice.append(f"{_count(len(skipped), 'entry was', 'entries were')} not used; `skipped` says which, and why.")
    return advice or ["Nothing to complain about."]


def _on_speaker(name: str, speaker: "SpeakerReport") -> Iterator[str]:
    if speaker.minutes < LITTLE:
        yield (
            f"{name} has {speaker.minutes * 60:.0f} s of singing, too little for a likeness; "
            f"record {ENOUGH:.0f} minutes or more."
        )
    elif speaker.minutes < ENOUGH:
        yield f"{name} has {speaker.minutes:.1f} minutes; it works, and gets better up to half an hour and more."
    if speaker.clipped > CLIPPED:
        yield (
            f"{name}'s recordings are clipped ({speaker.clipped:.2%} of the samples), and distortion is learnt with "
            "the voice; record again with less gain."
        )
    if speaker.snr is not None and speaker.snr < NOISY:
        yield (
            f"{name}'s recordings are noisy ({speaker.snr:.0f} dB between noise and voice); come closer to the "
            "microphone, or remove the noise first."
        )
    semitones = 12 * np.log2(speaker.high / speaker.low)
    if semitones < NARROW:
        yield (
            f"{name} sings within {semitones:.0f} semitones; notes outside will sound strained, so add songs or scales "
            "that go higher and lower."
        )
    if speaker.sung < 0.3:
        yield f"Only {speaker.sung:.0%} of {name}'s clips has a pitch; is it singing, without instruments?"
    if speaker.sample_rate < DULL:
        yield f"{name} has recordings at {speaker.sample_rate / 1000:g} kHz, which sound dull; 44.1 or 48 kHz is right."


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
