"""Pitch by signal processing: Praat's autocorrelation (pm) and WORLD's dio and harvest.

Notebook: 02_features
"""

import sys
from collections.abc import Callable
from importlib.metadata import version
from types import ModuleType, SimpleNamespace

import numpy as np

from svcnb.f0.postprocess import pad_original, resize_original
from svcnb.f0.predictor import F0Error, Predictor


class Praat(Predictor):
    """pm: the best path through peaks of the autocorrelation, one window of three periods of f0_min per frame."""

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            import parselmouth
        except ImportError:
            raise F0Error("Predictor 'pm' needs Praat's library: pip install praat-parselmouth") from None
        self.sound = parselmouth.Sound

    def track(self, wav: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        reach = int(1.5 / self.f0_min * self.sample_rate) + self.hop  # half a window: frames up to both ends
        pitch = self.pitch(np.pad(wav, reach))
        return pitch.selected_array["frequency"], pitch.xs() - reach / self.sample_rate

    def track_original(self, wav: np.ndarray, frames: int) -> np.ndarray:
        window = 3 / self.f0_min * self.sample_rate
        found = self.pitch(wav).selected_array["frequency"] if len(wav) > window else np.zeros(0)
        return pad_original(found, frames)

    def pitch(self, wav: np.ndarray):
        return self.sound(wav, self.sample_rate).to_pitch_ac(
            time_step=self.hop / self.sample_rate,
            voicing_threshold=0.6,
            pitch_floor=self.f0_min,
            pitch_ceiling=self.f0_max,
        )


class World(Predictor):
    """What dio and harvest share: frames `hop` apart from time 0, and WORLD's refinement, stonemask."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.world = import_pyworld()

    def run(self, method: Callable, wav: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pitch in Hz and times in s by one of WORLD's methods."""
        period = 1000 * self.hop / self.sample_rate  # ms
        wav = wav.astype(np.float64)
        return method(wav, self.sample_rate, f0_floor=self.f0_min, f0_ceil=self.f0_max, frame_period=period)

    def refine(self, wav: np.ndarray, hz: np.ndarray, times: np.ndarray) -> np.ndarray:
        return self.world.stonemask(wav.astype(np.float64), hz, times, self.sample_rate)


class Dio(World):
    """dio: the most regular of the zero crossings after low-pass filters; fast, needs clean audio."""

    def track(self, wav: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hz, times = self.run(self.world.dio, wav)
        return self.refine(wav, hz, times), times

    def track_original(self, wav: np.ndarray, frames: int) -> np.ndarray:
        return resize_original(np.round(self.track(wav)[0], 1), frames)


class Harvest(World):
    """harvest: many band-pass filters and a search for what they agree on; slow, finds more.

    The original refines it with stonemask, which doubles its error on singing of known pitch; we do not.
    """

    def track(self, wav: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.run(self.world.harvest, wav)

    def track_original(self, wav: np.ndarray, frames: int) -> np.ndarray:
        return resize_original(self.refine(wav, *self.track(wav)), frames)


def import_pyworld() -> ModuleType:
    """Import pyworld, which asks pkg_resources for its own version; setuptools ≥ 81 no longer brings that module."""
    stand_in = ModuleType("pkg_resources")
    stand_in.get_distribution = lambda name: SimpleNamespace(version=version(name))
    lent = sys.modules.setdefault("pkg_resources", stand_in) is stand_in
    try:
        import pyworld
    except ImportError:
        raise F0Error("Predictors 'dio' and 'harvest' need WORLD: pip install pyworld") from None
    finally:
        if lent:
            del sys.modules["pkg_resources"]
    return pyworld
