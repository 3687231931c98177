"""How a song is converted: every option of a conversion, what it means, where it is sensible, and the checks.

Notebook: 05_infer
"""

import difflib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from svcnb import f0
from svcnb.f0 import F0

ANY = -math.inf, math.inf
POSITIVE = 0, math.inf
SHARE = 0, 1
SAMPLERS = "ddpm", "ddim", "pndm", "dpm-solver", "dpm-solver++", "unipc", "euler", "midpoint", "rk4"


class ConvertError(ValueError):
    """A conversion was asked for that this model or song does not allow; the message says what to do."""


def _option(
    default: object,
    group: str,
    meaning: str,
    least: float | None = None,
    greatest: float | None = None,
    step: float | None = None,
    *,
    unit: str = "",
    choices: Sequence[str] = (),
    limits: tuple[float, float] = ANY,
    usual: float | None = None,
    needs: str = "",
):
    """A field of `Options` with what a person should know of it.

    least, greatest, step: of a sensible slider. limits: what is refused beyond them. usual: what None comes to. needs:
    what a converter must have been loaded with for it.
    """
    known = dict(group=group, meaning=meaning, least=least, greatest=greatest, step=step, unit=unit, usual=usual)
    return field(default=default, metadata=known | dict(choices=list(choices), limits=limits, needs=needs))


@dataclass(frozen=True)
class Options:
    """How a song is converted; the defaults are the original's, but for the predictor."""

    semitones: float = _option(0, "melody", "Added to the melody; twelve make an octave.", -24, 24, 1, unit="semitones")
    f0_predictor: str | Callable[[np.ndarray], F0] = _option(  # noqa: RUF009
        "fcpe",
        "melody",
        "Who writes the melody down.",
        choices=f0.names(),  # in Python, any function will do
    )
    f0_threshold: float = _option(
        0.05, "melody", "Confidence below which there is no pitch; higher where breaths are sung.", 0, 0.5, 0.01
    )
    auto_f0: bool = _option(
        False, "melody", "The voice chooses the melody; for speech, never with accompaniment.", needs="f0_decoder"
    )
    noise_scale: float = _option(
        0.4,
        "voice",
        "How much chance: 0 is flat and clear, 1 lively and rough.",
        0,
        1,
        0.05,
        limits=POSITIVE,
        needs="voice",
    )
    loudness_envelope: float = _option(
        1, "voice", "Whose loudness: 0 takes over the song's, 1 keeps the voice's.", 0, 1, 0.05, limits=SHARE
    )
    retrieval_ratio: float | None = _option(
        None, "voice", "Share of what is retrieved from the singer's own recordings; less of the source singer.",
        0, 1, 0.05, limits=SHARE, usual=0.5, needs="retrieval",
    )  # fmt: skip
    seed: int = _option(52468, "voice", "Of the noise that each piece is sung from; another one, another take.")
    slice_db: float = _option(
        -40, "cutting", "What is quieter is silence; -30 for noisy songs, -50 keeps breaths.", -70, -20, 1, unit="dB"
    )
    pad_seconds: float = _option(
        0.5, "cutting", "Silence put around each piece while it is sung.", 0, 2, 0.1, unit="s", limits=POSITIVE
    )
    clip: float = _option(
        0, "cutting", "Longest piece, cut even without a silence; 0 cuts only what is over 25 s.",
        0, 30, 1, unit="s", limits=POSITIVE,
    )  # fmt: skip
    linear_gradient: float = _option(0, "cutting", "Overlap of such pieces.", 0, 2, 0.1, unit="s", limits=POSITIVE)
    linear_gradient_retain: float = _option(
        0.75, "cutting", "Share of the overlap that is crossfaded.", 0.05, 1, 0.05, limits=(0.01, 1)
    )
    k_step: int | None = _option(
        None, "diffusion", "Steps of noise on what the voice sang; more is nearer to the diffusion model's own sound.",
        1, 1000, 1, limits=(1, math.inf), usual=100, needs="diffusion",
    )  # fmt: skip
    sampler: str | None = _option(
        None, "diffusion", "How the noise is taken away; as the diffusion model's settings say, if not given.",
        choices=SAMPLERS, needs="diffusion",
    )  # fmt: skip
    speedup: int | None = _option(
        None, "diffusion", "Steps of noise that one network call takes away.",
        1, 100, 1, limits=(1, math.inf), usual=10, needs="diffusion",
    )  # fmt: skip
    only_diffusion: bool = _option(
        False, "diffusion", "The diffusion model sings alone, from noise.", needs="diffusion"
    )
    second_encoding: bool = _option(
        False, "diffusion", "It hears the words from the voice, not from the song.", needs="diffusion"
    )
    half_diffusion: bool = _option(
        False, "diffusion", "It computes in bfloat16: twice as fast where the processor can; nobody hears it.",
        needs="diffusion",
    )  # fmt: skip
    enhancer_key: float = _option(
        0, "enhancer", "Semitones by which the enhancer sings lower than it gives; for high voices.",
        -24, 24, 1, unit="semitones", limits=(-24, 24), needs="enhancer",
    )  # fmt: skip

    def __post_init__(self) -> None:
        for name, known in KNOWN.items():
            _check(name, getattr(self, name), *known["limits"])
        if 0 < self.clip < 0.1:
            raise ConvertError(f"clip is {self.clip} s; it must be 0, or 0.1 s at least.")
        if self.clip and not self.linear_gradient < self.clip:
            raise ConvertError(f"linear_gradient is {self.linear_gradient} s; it must be shorter than clip.")

    @classmethod
    def of(cls, given: dict) -> "Options":
        """The options of these names. Raises ConvertError naming one that there is not, and the nearest."""
        for name in given:
            if name not in KNOWN:
                near = difflib.get_close_matches(name, KNOWN, 1, 0.5)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(KNOWN)}."
                raise ConvertError(f"There is no option {name!r}; {hint}")
        return cls(**given)


KNOWN = {option.name: option.metadata for option in fields(Options)}  # what there is to know of each


def _check(name: str, value: object, least: float, greatest: float) -> None:
    if not isinstance(value, (int, float)):
        return
    if not math.isfinite(value):
        raise ConvertError(f"{name} is {value}; it must be a number.")
    if not least <= value <= greatest:
        between = f"from {least:g} to {greatest:g}" if greatest < math.inf else f"{least:g} at least"
        raise ConvertError(f"{name} is {value}; it must be {between}.")
