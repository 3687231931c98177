"""Long sound in windows: each is heard with some context on both sides, and only its middle is kept.

Notebook: 02_features
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Frames start to end are heard, keep_start to keep_end are kept; all count from the sound's first frame."""

    start: int
    end: int
    keep_start: int
    keep_end: int


def plan(frames: int, window: int, margin: int) -> Iterator[Window]:
    """Cut a number of frames into windows whose kept parts join without gap or overlap.

    window: longest stretch that is heard at once; margin: context on either side, in frames.
    """
    if window <= 2 * margin:
        raise ValueError(f"A window of {window} frames leaves nothing between two margins of {margin}.")
    start = kept = 0
    while kept < frames:
        end = min(start + window, frames)
        keep_end = frames if end == frames else end - margin
        yield Window(start, end, kept, keep_end)
        kept, start = keep_end, keep_end - margin
        start = max(0, min(start, frames - window))  # the last window has its full context too
