"""How a song is converted: every option of a conversion, checked.

Notebook: 05_infer
"""

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from svcnb.f0 import F0


class ConvertError(ValueError):
    """A conversion was asked for that this model or song does not allow; the message says what to do."""


@dataclass(frozen=True)
class Options:
    """How a song is converted; the defaults are the original's, but for the predictor."""

    semitones: float = 0  # added to the melody
    f0_predictor: str | Callable[[np.ndarray], F0] = "fcpe"  # a name that svcnb.f0 knows, or a predictor
    f0_threshold: float = 0.05  # confidence below which a frame is unvoiced
    auto_f0: bool = False  # the model chooses the melody; for speech, out of tune with accompaniment
    noise_scale: float = 0.4  # 0 is flat and clear, 1 lively and rough
    slice_db: float = -40  # silence is below; -30 for noisy songs, -50 keeps breaths
    pad_seconds: float = 0.5  # silence put around each piece while it is sung
    clip: float = 0  # seconds; cut pieces to this length even without a silence; 0: only what is over 25 s
    linear_gradient: float = 0  # seconds of overlap between such pieces
    linear_gradient_retain: float = 0.75  # share of the overlap that is crossfaded
    loudness_envelope: float = 1  # 0 takes over the loudness of the song, 1 keeps the model's
    retrieval_ratio: float | None = None  # 0 to 1, share of what is retrieved; none: half, if a retrieval is loaded
    k_step: int | None = None  # shallow diffusion: steps of noise on what the voice sang; none: 100, or all trained
    sampler: str | None = None  # how the noise is taken away; none: as the diffusion model's settings say
    speedup: int | None = None  # about how many steps a network call goes back; none: as the settings say
    only_diffusion: bool = False  # the diffusion model sings alone, from noise
    second_encoding: bool = False  # the diffusion model hears the words from the voice, not from the song
    enhancer_key: float = 0  # semitones by which the enhancer sings lower than it gives; for high voices
    seed: int = 52468  # of the noise that each piece is sung from

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, (int, float)) and not math.isfinite(value):
                raise ConvertError(f"{name} is {value}; it must be a number.")
        if min(self.noise_scale, self.pad_seconds, self.clip, self.linear_gradient) < 0:
            raise ConvertError("noise_scale, pad_seconds, clip and linear_gradient can not be negative.")
        if 0 < self.clip < 0.1:
            raise ConvertError(f"clip is {self.clip} s; it must be 0, or 0.1 s at least.")
        if self.clip and not self.linear_gradient < self.clip:
            raise ConvertError(f"linear_gradient is {self.linear_gradient} s; it must be shorter than clip.")
        if not 0 < self.linear_gradient_retain <= 1:
            raise ConvertError(f"linear_gradient_retain is {self.linear_gradient_retain}; it must be over 0, up to 1.")
        if not 0 <= self.loudness_envelope <= 1:
            raise ConvertError(f"loudness_envelope is {self.loudness_envelope}; it must be from 0 to 1.")
        if any(count is not None and count < 1 for count in (self.k_step, self.speedup)):
            raise ConvertError("k_step and speedup are whole numbers from 1.")
        if abs(self.enhancer_key) > 24:
            raise ConvertError(f"enhancer_key is {self.enhancer_key}; it must be from -24 to 24 semitones.")
        if not 0 <= (self.retrieval_ratio or 0) <= 1:
            raise ConvertError(f"retrieval_ratio is {self.retrieval_ratio}; it must be from 0 to 1.")

    @classmethod
    def of(cls, given: dict) -> "Options":
        """The options of these names. Raises ConvertError naming one that there is not, and the nearest."""
        known = [option.name for option in fields(cls)]
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1, 0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
                raise ConvertError(f"There is no option {name!r}; {hint}")
        return cls(**given)
