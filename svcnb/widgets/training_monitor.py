"""TrainingMonitor: a training that runs beside the notebook, watched, heard, stopped and taken up again.

    monitor = TrainingMonitor(lambda: train_sovits(work), 44100, minutes=10)
    monitor                  # a cell's last line: start, look, stop
    monitor.wait()           # in the next cell: until it has ended

Notebook: 03_train_sovits
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import traitlets as t

from svcnb.widgets.base import Widget, flac, module, spectrogram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from svcnb.training import Step

MOST = 400  # points of a curve on the page
EVERY = 0.5  # seconds between two messages to the page
LOW, HIGH, ROWS, MOST_COLUMNS = 60.0, 12000.0, 96, 800  # of the pictures; Hz


class TrainingMonitor(Widget):
    """Any of our trainings: a function that begins it, or goes on with it, and yields its steps."""

    DEEDS = "start", "stop"
    _esm = module("training_monitor.js")
    state = t.Unicode("ready").tag(sync=True)  # ready, training, stopping, stopped, finished or failed
    curves = t.Dict().tag(sync=True)  # by the name of a loss: [its steps, its values]
    step = t.Int().tag(sync=True)
    facts = t.Dict().tag(sync=True)  # learning_rate, seconds (a step takes), left (seconds; None: not known)
    sounds = t.Dict().tag(sync=True)  # flac files of the last evaluation, by name
    pictures = t.Dict().tag(sync=True)  # and their spectrograms: levels 0 to 255, shape, bounds in Hz, seconds
    heard_at = t.Int().tag(sync=True)  # the step of that evaluation

    def __init__(self, train: "Callable[[], Iterator[Step]]", sample_rate: int, minutes: float | None = None):
        """minutes: after so long it stops by itself, to be taken up by another start. Raises ValueError."""
        if minutes is not None and not minutes > 0:
            raise ValueError(f"A training needs some time, not {minutes} minutes: take more, or None for no limit.")
        self.steps: list[Step] = []  # made since this monitor was
        self._train, self._sample_rate, self._seconds = train, sample_rate, 60 * (minutes or np.inf)
        self._enough, self._thread, self._error = threading.Event(), None, None
        super().__init__()

    def start(self) -> None:
        """Begin, or go on from where the training was stopped. Raises ValueError while it runs."""
        if self.running:
            raise ValueError("The training is running already.")
        self._enough.clear()
        self._error, self.state, self.said = None, "training", "Training begins."
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the present step, and save. Raises ValueError when nothing runs."""
        if not self.running:
            raise ValueError("No training is running.")
        self.state, self.said = "stopping", "Stopping after this step; everything is saved."
        self._enough.set()

    def wait(self) -> "list[Step]":
        """The steps made, when the training has ended; begins it if nobody has. Raises what stopped it.

        An interrupt (the notebook's stop button) stops the training, which saves.
        """
        if self._thread is None:
            self.start()
        try:
            self._thread.join()
        except KeyboardInterrupt:
            self._enough.set()
            self._thread.join()
            raise
        if self._error is not None:
            raise self._error
        return self.steps

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self._thread is not None and self._thread.is_alive() and self.state in ("training", "stopping")

    def figure(self) -> "Figure":
        """The losses so far."""
        from svcnb.plots import losses

        return losses(self.steps)

    def _work(self) -> None:
        began, told, steps, last = time.monotonic(), 0.0, None, None
        try:
            steps = self._train()
            for last in steps:
                self.steps.append(last)
                spent = time.monotonic() - began
                self._enough.is_set() or spent < self._seconds or self._enough.set()
                if last.audio:
                    self._hear(last)
                if time.monotonic() - told > EVERY or self._enough.is_set():
                    self._tell()
                    told = time.monotonic()
                if self._enough.is_set():
                    break
            over = not self._enough.is_set()
        except Exception as error:  # the page says it, and `wait` raises it
            self._error, self.state, self.said = error, "failed", f"It stopped: {error}"
            return
        finally:
            if steps is not None:
                steps.close()  # saves what was made since the last saving
            self._tell()
        self.state = "finished" if over else "stopped"
        if last is None:
            self.said = "All the steps were made before; there is none left."
        elif over:
            self.said = f"Finished after step {last.step}."
        else:
            self.said = f"Stopped after step {last.step}, and saved; start again to go on from there."

    def _tell(self) -> None:
        """What the page shows: thinned curves, the last step's figures."""
        if not self.steps:
            return
        last, names = self.steps[-1], dict.fromkeys(name for step in self.steps for name in step.losses)
        curves = {}
        for name in names:
            points = [(step.step, step.losses[name]) for step in self.steps if name in step.losses]
            points = points[:: -(-len(points) // MOST)]
            curves[name] = [[x for x, _ in points], [y if np.isfinite(y) else None for _, y in points]]
        recent = [step.seconds for step in self.steps[-20:]]
        seconds = float(np.mean(recent))
        left = last.eta / last.seconds * seconds if last.eta and last.seconds else last.eta
        with self.hold_sync():
            self.curves, self.step = curves, last.step
            self.facts = {"learning_rate": last.learning_rate, "seconds": seconds, "left": left}

    def _hear(self, step: "Step") -> None:
        with self.hold_sync():
            self.sounds = {name: flac(wav, self._sample_rate) for name, wav in step.audio.items()}
            self.pictures = {name: self._picture(wav) for name, wav in step.audio.items()}
            self.heard_at = step.step

    def _picture(self, wav: np.ndarray) -> dict:
        rate, bounds = self._sample_rate, (LOW, min(HIGH, self._sample_rate / 2))
        levels = spectrogram(wav, rate, *bounds, ROWS, MOST_COLUMNS)
        return {"levels": levels.tobytes(), "shape": levels.shape, "bounds": bounds, "seconds": len(wav) / rate}
