"""Pitch by signal processing: Praat's autocorrelation (pm) and WORLD's dio and harvest.

Notebook: 02_features
"""

import sys
from abc import abstractmethod
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
        return pad_original(self.pitch(wav).selected_array["frequency"], frames)

    def pitch(self, wav: np.ndarray):
        return self.sound(wav, self.sample_rate).to_pitch_ac(
            time_step=self.hop / self.sample_rate,
            voicing_threshold=0.6,
            pitch_floor=self.f0_min,
            pitch_ceiling=self.f0_max,
        )


class World(Predictor):
    """What dio and harvest share: frames `hop` apart from time 0, refined by WORLD's stonemask."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.world = _pyworld()

    @abstractmethod
    def coarse(self, wav: np.ndarray, **options) -> tuple[np.ndarray, np.ndarray]:
        """Pitch before refinement, and its times in s."""

    def track(self, wav: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wav = wav.astype(np.float64)
        period = 1000 * self.hop / self.sample_rate  # ms
        hz, times = self.coarse(
            wav, fs=self.sample_rate, f0_floor=self.f0_min, f0_ceil=self.f0_max, frame_period=period
        )
        return self.world.stonemask(wav, hz, times, self.sample_rate), times

    def track_original(self, wav: np.ndarray, frames: int) -> np.ndarray:
        return resize_original(self.track(wav)[0], frames)


class Dio(World):
    """dio: the most regular of the zero crossings after low-pass filters; fast, needs clean audio."""

    def coarse(self, wav: np.ndarray, **options) -> tuple[np.ndarray, np.ndarray]:
        return self.world.dio(wav, **options)

    def track_original(self, wav: np.ndarray, frames: int) -> np.ndarray:
        return resize_original(np.round(self.track(wav)[0], 1), frames)


class Harvest(World):
    """harvest: many band-pass filters and a search for what they agree on; slow, finds more."""

    def coarse(self, wav: np.ndarray, **options) -> tuple[np.ndarray, np.ndarray]:
        return self.world.harvest(wav, **options)


def _pyworld() -> ModuleType:
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
