"""TrainingMonitor with a training that only pretends: start, stop, go on, time that runs out, errors."""

import time

import numpy as np
import pytest

from svcnb.training import Step
from svcnb.widgets import TrainingMonitor

RATE = 8000


class Pretended:
    """A training of ten steps that remembers where it was, as ours do."""

    def __init__(self, last=10, fails_at=None, sings_every=4, seconds=0.01):
        self.done, self.last, self.closed = 0, last, 0
        self.fails_at, self.sings_every, self.seconds = fails_at, sings_every, seconds

    def __call__(self):
        try:
            while self.done < self.last:
                time.sleep(self.seconds)
                self.done += 1
                if self.done == self.fails_at:
                    raise OSError("The disk is full; make room and start again.")
                sound = {"ann/0": 0.1 * np.ones(RATE, np.float32)} if self.done % self.sings_every == 0 else {}
                losses = {"mel": 10.0 / self.done, "kl": np.nan if self.done == 3 else 1.0}
                eta = self.seconds * (self.last - self.done)
                yield Step(self.done, 1, losses, {}, 1e-4, self.seconds, eta, audio=sound)
        finally:
            self.closed += 1


def test_waiting_runs_it_to_the_end():
    monitor = TrainingMonitor(Pretended(), RATE)
    steps = monitor.wait()
    assert [step.step for step in steps] == list(range(1, 11)) and monitor.steps is steps
    assert monitor.state == "finished" and not monitor.running and monitor.said == "Finished after step 10."
    assert monitor.curves["mel"] == [list(range(1, 11)), [10 / k for k in range(1, 11)]]
    assert monitor.curves["kl"][1][2] is None, "the page can not read NaN"
    assert monitor.step == 10 and monitor.facts["learning_rate"] == 1e-4 and monitor.facts["left"] == 0
    picture = monitor.pictures["ann/0"]
    assert monitor.heard_at == 8 and monitor.sounds["ann/0"][:4] == b"fLaC"
    assert len(picture["levels"]) == np.prod(picture["shape"]) and picture["bounds"] == (60, 4000)
    assert picture["seconds"] == 1


def test_stopping_saves_and_starting_goes_on():
    training = Pretended(last=1000)
    monitor = TrainingMonitor(training, RATE)
    monitor.start()
    with pytest.raises(ValueError, match="running already"):
        monitor.start()
    while len(monitor.steps) < 3:
        time.sleep(0.005)
    monitor.stop()
    monitor.wait()
    made = training.done
    assert monitor.state == "stopped" and f"step {made}" in monitor.said and training.closed == 1 and made < 1000
    with pytest.raises(ValueError, match="No training"):
        monitor.stop()
    training.last = made + 5
    monitor.start()
    assert [step.step for step in monitor.wait()] == list(range(1, made + 6)) and monitor.state == "finished"


def test_it_stops_by_itself_when_its_time_is_up():
    training = Pretended(last=10_000)
    monitor = TrainingMonitor(training, RATE, minutes=0.1 / 60)
    monitor.wait()
    assert monitor.state == "stopped" and 0 < training.done < 100 and training.closed == 1
    with pytest.raises(ValueError, match="some time"):
        TrainingMonitor(training, RATE, minutes=0)


def test_what_breaks_a_training_is_said_and_raised():
    monitor = TrainingMonitor(Pretended(fails_at=4), RATE)
    with pytest.raises(OSError, match="disk is full"):
        monitor.wait()
    assert monitor.state == "failed" and "disk is full" in monitor.said and len(monitor.steps) == 3
    assert not monitor.running


def test_a_finished_training_needs_no_steps():
    monitor = TrainingMonitor(Pretended(last=0), RATE)
    assert monitor.wait() == [] and monitor.said == "All the steps were made before; there is none left."


def test_long_curves_are_thinned():
    monitor = TrainingMonitor(Pretended(last=1500, seconds=0, sings_every=10_000), RATE)
    monitor.wait()
    assert 300 < len(monitor.curves["mel"][0]) <= 400


def test_without_a_page_there_is_a_picture():
    monitor = TrainingMonitor(Pretended(), RATE)
    monitor.wait()
    assert [axes.get_title() for axes in monitor.figure().axes[:2]] == ["mel", "kl"]
