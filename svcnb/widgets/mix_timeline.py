"""MixTimeline: who sings how much, along a song, as areas whose borders are dragged.

    mixer = MixTimeline(list(converter.config.spk), duration=16.8, silences=[(4.1, 4.6)])
    mixer                                              # a cell's last line
    converter.convert(song, mix=mixer.timeline)        # what came of it

Notebook: 06_mixing_export
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import traitlets as t

from svcnb.mixing import MixError, Timeline, normalized
from svcnb.widgets.base import History, Widget, module

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SNAP = 0.5  # seconds from which a point is drawn into a silence
SAME = 1e-6  # borders that are no further apart are one

Point = tuple[float, tuple[float, ...]]  # second, and the share of each speaker there


class MixTimeline(Widget):
    """Shares of speakers at points of a song, straight lines between; `timeline` goes into `Converter.convert`.

    Shares at a point add up to 1. Two points of one time make a jump.
    """

    DEEDS = "add", "delete", "move", "share", "border", "undo", "redo"
    _esm = module("mix_timeline.js")
    speakers = t.List(t.Unicode()).tag(sync=True)
    duration = t.Float().tag(sync=True)  # s
    silences = t.List(t.List(t.Float())).tag(sync=True)  # start and end in s
    points = t.List().tag(sync=True)  # [second, [share, …]], in the order of time
    chosen = t.Int(0).tag(sync=True)  # number of the point that was last touched
    can = t.Dict({"undo": False, "redo": False}).tag(sync=True)

    def __init__(
        self,
        speakers: Sequence[str],
        duration: float,
        silences: Sequence[tuple[float, float]] | None = None,
        timeline: Timeline | None = None,
    ):
        """speakers: names in the model's order; duration in s; silences as (start, end) in s. Raises MixError."""
        if not speakers or not duration > 0:
            raise MixError("A mix needs at least one speaker and a song that is longer than 0 s.")
        first = tuple(float(i == 0) for i in range(len(speakers)))
        self._history = History(((0.0, first), (float(duration), first)))
        silences = [[float(start), float(end)] for start, end in silences or ()]
        super().__init__(speakers=list(speakers), duration=float(duration), silences=silences)
        if timeline is not None:
            self._history = History(self._points(timeline))
        self._show()

    @property
    def timeline(self) -> Timeline:
        """The mix as it is now; setting one, with as many speakers, is a step to undo."""
        points, length = self._history.now, self.duration
        return Timeline.from_points(
            {
                number: [(second / length, shares[number]) for second, shares in points]
                for number in range(len(self.speakers))
            }
        )

    @timeline.setter
    def timeline(self, timeline: Timeline) -> None:
        self._set(self._points(timeline), "Another timeline.", 0)

    def add(self, second: float, snap: bool = False) -> None:
        """Add a point on the line as it is, so that nothing changes yet."""
        now = self._history.now
        second = self._snapped(min(max(float(second), 0.0), self.duration), snap)
        number = sum(other <= second for other, _ in now)
        times = [other for other, _ in now]
        shares = tuple(float(np.interp(second, times, [s[i] for _, s in now])) for i in range(len(self.speakers)))
        self._set((*now[:number], (second, shares), *now[number:]), f"Point added at {second:.2f} s.", number)

    def delete(self, number: int) -> None:
        """Take a point away. Raises MixError for the last one."""
        now, at = self._history.now, self._number(number)
        if len(now) == 1:
            raise MixError("The last point stays; move it or change its shares.")
        self._set((*now[:at], *now[at + 1 :]), f"Point at {now[at][0]:.2f} s deleted.", max(0, at - 1))

    def move(self, number: int, second: float, snap: bool = False) -> None:
        """Move a point in time, as far as its neighbours; with `snap`, into a silence that is near."""
        now, at = self._history.now, self._number(number)
        least = now[at - 1][0] if at else 0.0
        most = now[at + 1][0] if at + 1 < len(now) else self.duration
        second = min(max(self._snapped(float(second), snap), least), most)
        self._set((*now[:at], (second, now[at][1]), *now[at + 1 :]), f"Point moved to {second:.2f} s.", at)

    def share(self, number: int, speaker: int, share: float) -> None:
        """Give a speaker a share, 0 to 1, at a point; the others keep their proportions to one another."""
        at, share = self._number(number), min(max(float(share), 0.0), 1.0)
        shares = np.array(self._history.now[at][1])
        if not 0 <= speaker < len(shares):
            raise MixError(f"There is no speaker number {speaker}; there are {len(shares)}.")
        others = np.delete(shares, speaker)
        if len(others):
            rest = normalized(np.array([others], float))[0] * (1 - share)
            self._change(at, np.insert(rest.astype(float), speaker, share))

    def border(self, number: int, speaker: int, height: float) -> None:
        """Move the border above a speaker's area at a point to a height, 0 to 1; it pushes no other border.

        Between two areas it takes along those that lie on it: of speakers without a share none comes in unasked.
        """
        at = self._number(number)
        edges = np.concatenate([[0.0], np.cumsum(self._history.now[at][1])])
        if not 0 <= speaker < len(edges) - 2:
            raise MixError(f"There is no border above speaker number {speaker}.")
        here = edges[speaker + 1]
        inside = SAME < here < 1 - SAME
        along = np.flatnonzero(abs(edges - here) < SAME) if inside else np.array([speaker + 1])
        edges[along] = min(max(float(height), edges[along[0] - 1]), edges[along[-1] + 1])
        self._change(at, np.diff(edges))

    def undo(self) -> None:
        """Take the last change back."""
        self._show("Undone." if self._history.back() else "Nothing to undo.")

    def redo(self) -> None:
        """Make the change again that was last taken back."""
        self._show("Redone." if self._history.forth() else "Nothing to redo.")

    def figure(self) -> "Figure":
        """The shares over time."""
        from svcnb.plots import mix

        return mix(self.timeline, self.speakers, self.duration, self.silences)

    def _points(self, timeline: Timeline) -> tuple[Point, ...]:
        """The points of a timeline: wherever a segment begins or ends, twice where the shares jump."""
        if len(timeline.tracks) != len(self.speakers):
            raise MixError(f"The timeline has {len(timeline.tracks)} speakers, but these are {len(self.speakers)}.")
        times = sorted(
            {0.0, 1.0, *(time for track in timeline.tracks.values() for segment in track for time in segment[:2])}
        )
        points = []
        for time in times:
            for after in (False, True):
                values = [_value(track, time, after) for track in timeline.tracks.values()]
                shares = tuple(normalized(np.array([values]))[0].astype(float).round(7).tolist())
                point = (time * self.duration, shares)
                if 0 < time < 1 or after == (time == 0):
                    points += [point] if not points or points[-1] != point else []
        return tuple(points)

    def _number(self, number: int) -> int:
        if not 0 <= number < len(self._history.now):
            raise MixError(f"There is no point number {number}; there are {len(self._history.now)}.")
        return number

    def _snapped(self, second: float, snap: bool) -> float:
        middles = [(start + end) / 2 for start, end in self.silences] if snap else []
        inside = [second for start, end in self.silences if start <= second <= end]
        nearest = min(middles, key=lambda middle: abs(middle - second), default=second)
        return nearest if not inside and abs(nearest - second) <= SNAP else second

    def _change(self, at: int, shares: np.ndarray) -> None:
        now = self._history.now
        point = (now[at][0], tuple(normalized(shares[None])[0].astype(float).round(7).tolist()))
        said = ", ".join(f"{name} {share:.0%}" for name, share in zip(self.speakers, point[1], strict=True))
        self._set((*now[:at], point, *now[at + 1 :]), f"At {point[0]:.2f} s: {said}.", at)

    def _set(self, points: tuple[Point, ...], said: str, chosen: int) -> None:
        if points != self._history.now:  # else there would be nothing to undo
            self._history.add(points)
        self._show(said, chosen)

    def _show(self, said: str = "", chosen: int | None = None) -> None:
        now = self._history.now
        with self.hold_sync():  # one message
            self.chosen = min(self.chosen if chosen is None else chosen, len(now) - 1)
            self.points = [[second, list(shares)] for second, shares in now]
            self.can = self._history.can
            self.said = said


def _value(track: Sequence[tuple[float, float, float, float]], time: float, after: bool) -> float:
    """A track's value just before or just after a time, 0 where no segment is."""
    for start, end, first, last in track:
        if (start <= time < end) if after else (start < time <= end):
            return first + (last - first) * (time - start) / (end - start)
    return 0.0
