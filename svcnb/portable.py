"""A voice without torch: the folder that `svcnb export` makes, sung by onnxruntime.

    voice = Portable.load("clara")
    voice.convert("song.wav", speaker="clara", semitones=12).save("clara.flac")

Whoever is given the folder needs numpy, librosa, soundfile and onnxruntime; this module is in it, as sing.pyz:

    python clara/sing.pyz song.wav --speaker clara

Notebook: 06_mixing_export
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import librosa
import numpy as np

from svcnb import audio
from svcnb.f0 import F0
from svcnb.f0.postprocess import align, resize_nearest
from svcnb.job import Conversion, not_empty, perform
from svcnb.mixing import Timeline
from svcnb.options import ConvertError, Options
from svcnb.stream import at_rate

FORMAT = 1  # of voice.json; a change that older versions would misread raises it
RATE, F0_HOP, UNITS_HOP = 16000, 160, 320  # Hz that encoder and predictor hear; samples from frame to frame
K_STEP = 100  # steps of noise on what the voice sang, if nothing else is said
MULTISTEP = {1: (3, -1), 2: (23, -16, 5), 3: (55, -59, 37, -9)}  # Adams-Bashforth, newest first


class Graphs:
    """The graphs in a folder: `graphs("f0", waveform=…)` runs one, which is opened when it is first wanted."""

    def __init__(self, folder: str | Path):
        self.folder, self._open = Path(folder), {}

    def __call__(self, name: str, **given: np.ndarray) -> np.ndarray:
        """The first output of a graph; of what is given it takes what it knows. Raises ConvertError."""
        session = self._open[name] = self._open.get(name) or self._session(self.folder / f"{name}.onnx")
        return session.run(None, {port.name: given[port.name] for port in session.get_inputs()})[0]

    def _session(self, path: Path):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that wait cost nothing
        try:
            return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no class of their own
            reason = str(error).splitlines()[0][:200]
            raise ConvertError(f"{path} is missing or damaged; export the voice again ({reason}).") from None


@dataclass(frozen=True)
class Heard:
    """A stretch of song as the graphs are told of it, T frames."""

    units: np.ndarray  # (1, Tc, D)
    place: np.ndarray  # (1, T): which of them each frame hears, counted from 1
    f0: np.ndarray  # (1, T) Hz, filled through unvoiced stretches
    voiced: np.ndarray  # (1, T)
    volume: np.ndarray  # (1, T) RMS
    mix: np.ndarray  # (T, S)


class Portable:
    """An exported voice; it takes the same songs and options as a Converter, and gives the same Conversion."""

    enhancer = None

    def __init__(self, about: dict, graphs: Callable[..., np.ndarray], noise: Callable = np.random.default_rng):
        """about: the content of voice.json. noise: makes a numpy Generator of a seed."""
        self.sample_rate, self.hop, self.f0, self.stretch = (about[x] for x in ("sample_rate", "hop", "f0", "stretch"))
        self.speakers = {name: number for number, name in enumerate(about["speakers"])}
        self.latent, self.volume, self.diffusion = about["latent"], about["volume"], about["diffusion"]
        self.reach = about["reach"]
        self.n_speakers, self.graphs, self.noise = len(self.speakers), graphs, noise

    @classmethod
    def load(cls, folder: str | Path) -> "Portable":
        """Open a folder that `svcnb export` made. Raises ConvertError for another one."""
        path = Path(folder) / "voice.json"
        try:
            about = json.loads(path.read_text(encoding="utf-8"))
            if about["format"] > FORMAT:
                raise ConvertError(f"{folder} was exported by a newer svcnb; update this one to open it.")
            return cls(about, Graphs(folder))
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, ConvertError):
                raise
            raise ConvertError(f"{folder} is not an exported voice: {path.name} is not there or not whole.") from None

    def convert(
        self,
        song: str | Path | np.ndarray,
        sample_rate: int | None = None,
        speaker: str | int | None = None,
        *,
        mix: Timeline | Mapping | np.ndarray | None = None,
        f0: np.ndarray | F0 | None = None,
        out: str | Path | None = None,
        progress: Callable[[float, float], None] | None = None,
        **options,
    ) -> Conversion:
        """Convert a song, as Converter.convert does; without retrieval, and diffusion goes by pndm.

        Raises ConvertError, MixError, AudioError, OSError.
        """
        options = Options.of({"f0_predictor": self.f0, **options})
        self._refuse(options)
        speaker = self._number(speaker) if mix is None else None
        return perform(self, song, sample_rate, speaker, mix, options, f0, out, progress)

    def alone(self, options: Options) -> bool:
        """Whether the diffusion model sings alone."""
        return self.latent is None or options.only_diffusion

    def sing(
        self, wav: np.ndarray, sample_rate: int, speaker: int | np.ndarray, options: Options, f0: F0 | None = None
    ) -> tuple[np.ndarray, F0]:
        """Sing a stretch of sound (N,) in one go; returns it at the voice's rate, and the pitch sung per hop.

        speaker: number, or shares of the speakers per frame (N // hop, S). f0: own melody, N // hop frames.
        """
        length = at_rate(len(wav), sample_rate, self.sample_rate)
        loud = not_empty(wav, length // self.hop)
        wav = audio.resample(wav, sample_rate, self.sample_rate)[:length]
        f0 = self._melody(wav, options) if f0 is None else f0
        f0 = F0(f0.hz * 2 ** (options.semitones / 12), f0.voiced)
        heard, noise = self._hear(wav, f0, speaker), self.noise(options.seed)
        sound = None if self.alone(options) else self._first(heard, options.noise_scale, noise)
        if self.diffusion:
            sound = self._second(sound, heard, options, noise)
        else:  # as the network leaves it
            sound[: max(0, loud.start - self.reach) * self.hop] = 0
            sound[(loud.stop + self.reach) * self.hop :] = 0
        sound = librosa.util.fix_length(sound, size=length)
        sound = audio.match_envelope(wav, sound, self.sample_rate, options.loudness_envelope)
        sound = audio.hush(wav, sound, self.sample_rate, options.slice_db)
        return sound, F0(heard.f0[0] * f0.voiced, f0.voiced)

    def _melody(self, wav: np.ndarray, options: Options) -> F0:
        if callable(options.f0_predictor):
            return options.f0_predictor(wav)
        heard, sure = audio.resample(wav, self.sample_rate, RATE), np.float32([options.f0_threshold])
        hz = self.graphs("f0", waveform=heard[None], threshold=sure)[0].astype(np.float64)
        frames = np.arange(len(wav) // self.hop) * self.hop / self.sample_rate
        hz = align(hz, np.arange(len(hz)) * F0_HOP / RATE, frames)
        return F0(hz, hz > 0)

    def _hear(self, wav: np.ndarray, f0: F0, speaker: int | np.ndarray) -> Heard:
        row = lambda values: np.asarray(values, np.float32)[None]
        units, frames = self._units(wav), len(f0.hz)
        mix = np.eye(self.n_speakers, dtype=np.float32)[[speaker] * frames] if isinstance(speaker, int) else speaker
        place = self._place(units.shape[1], frames)
        return Heard(units, place, row(f0.filled()), row(f0.voiced), row(audio.volume(wav, self.hop)), mix)

    def _units(self, wav: np.ndarray) -> np.ndarray:
        heard = audio.resample(wav, self.sample_rate, RATE)
        units = self.graphs("encoder", source=heard[None, None])
        if units.shape[1] < len(heard) // UNITS_HOP - 1:
            raise ConvertError(
                f"This voice's encoder hears {units.shape[1] * UNITS_HOP // RATE} s at once, but a piece has "
                f"{len(heard) / RATE:.0f} s; set clip or pad_seconds lower."
            )
        return units

    def _place(self, heard: int, frames: int) -> np.ndarray:
        """Which of so many units each frame hears, as `encoders.stretch` says."""
        if self.stretch == "left":
            index = np.arange(frames)
            index = index * heard // frames if frames >= heard else index
        else:
            index = resize_nearest(np.arange(heard), frames)
        return index[None].astype(np.int64) + 1

    def _first(self, heard: Heard, noise_scale: float, noise: np.random.Generator) -> np.ndarray:
        """What the voice sings, (T * hop,)."""
        frames = heard.f0.shape[1]
        latent = noise_scale * noise.standard_normal((1, self.latent, frames))
        return self.graphs(
            "sovits", c=heard.units, f0=heard.f0, mel2ph=heard.place, uv=heard.voiced, noise=latent.astype(np.float32),
            sid=heard.mix, vol=heard.volume, **self._chance(frames, noise),
        )[0, 0]  # fmt: skip

    def _chance(self, frames: int, noise: np.random.Generator) -> dict[str, np.ndarray]:
        """What is random in the sines."""
        phase = noise.random((1, 9)).astype(np.float32)
        return {"phase": phase, "source_noise": noise.standard_normal((1, frames * self.hop, 9)).astype(np.float32)}

    def _second(self, sound: np.ndarray | None, heard: Heard, options: Options, noise) -> np.ndarray:
        """The same, sung again by the diffusion model, or by it alone; (T * hop,)."""
        if sound is not None and not self.volume:  # a voice that was not told the loudness of the song has its own
            heard = replace(heard, volume=audio.volume(sound, self.hop)[None])
        if sound is not None and options.second_encoding:
            units = self._units(sound)
            heard = replace(heard, units=units, place=self._place(units.shape[1], heard.f0.shape[1]))
        condition = self.graphs(
            "diffusion_encoder", hubert=heard.units, mel2ph=heard.place, f0=heard.f0, volume=heard.volume,
            spk_mix=heard.mix,
        )  # fmt: skip
        steps, speedup = self._steps(options)
        x = noise.standard_normal((1, self.diffusion["mels"], condition.shape[2])).astype(np.float32)
        if sound is not None:
            kept = np.cumprod(1 - np.linspace(1e-4, 0.02, self.diffusion["timesteps"]))[steps - 1]
            low, high = self.diffusion["range"]
            mel = (self.graphs("vocoder_mel", wav=sound[None]) - low) / (high - low) * 2 - 1
            x = (kept**0.5 * mel + (1 - kept) ** 0.5 * x).astype(np.float32)
        mel = self.graphs("diffusion_after", x=self._denoised(x[None], condition, steps, speedup))
        return self.graphs("vocoder", c=mel, f0=heard.f0, **self._chance(mel.shape[2], noise))[0, 0]

    def _denoised(self, x: np.ndarray, condition: np.ndarray, steps: int, speedup: int) -> np.ndarray:
        """x (1, 1, M, T) without its noise, by PNDM, whose steps are a graph."""
        at = lambda step: np.array([step])
        said = lambda x, step: self.graphs("diffusion_denoise", noise=x, time=at(step), condition=condition)
        go = lambda x, found, now, then: self.graphs(
            "diffusion_pred", noise=x, noise_pred=found, time=at(now), time_prev=at(then)
        )
        earlier = []
        for now in reversed(range(0, steps, speedup)):
            then, found = max(now - speedup, 0), said(x, now)
            if earlier:
                weights = MULTISTEP[len(earlier)]
                mixed = sum(w * e for w, e in zip(weights, [found, *earlier], strict=True)) / np.float32(sum(weights))
            else:
                mixed = (found + said(go(x, found, now, then), then)) / 2
            x, earlier = go(x, mixed, now, then), [found, *earlier][:3]
        return x

    def _steps(self, options: Options) -> tuple[int, int]:
        """How many steps of noise to take away, and how many at once. Raises ConvertError for too few or too many."""
        most, speedup = self.diffusion["k_step_max"], options.speedup or self.diffusion["speedup"]
        if self.alone(options):
            if most < self.diffusion["timesteps"]:
                raise ConvertError("This diffusion model can not begin with noise; leave only_diffusion off.")
            return most, speedup
        k_step = options.k_step or min(K_STEP, most)
        if options.speedup is None:
            speedup = max(1, min(speedup, k_step // 2))
        if not speedup < k_step <= most:
            raise ConvertError(f"k_step is {k_step}; it must be over the speedup, {speedup}, and up to {most}.")
        return k_step, speedup

    def _refuse(self, options: Options) -> None:
        """Raise ConvertError for options that an exported voice can not follow."""
        if not callable(options.f0_predictor) and options.f0_predictor != self.f0:
            raise ConvertError(f"This voice was exported with {self.f0}; leave f0_predictor out.")
        if asked := [name for name in ("auto_f0", "retrieval_ratio", "enhancer_key") if getattr(options, name)]:
            raise ConvertError(f"{asked[0]} is not exported with a voice; leave it out.")
        if options.sampler not in (None, "pndm"):
            raise ConvertError("An exported diffusion model goes by pndm; leave sampler out.")
        if self.diffusion:
            self._steps(options)
        elif asked := [x for x in ("k_step", "speedup", "only_diffusion", "second_encoding") if getattr(options, x)]:
            raise ConvertError(f"{asked[0]} is for a diffusion model, and this voice was exported without.")

    def _number(self, speaker: str | int | None) -> int:
        """Number of a speaker given by name or number; None is the only one. Raises ConvertError."""
        if speaker is None and self.n_speakers == 1:
            return 0
        number = self.speakers.get(speaker, speaker)
        if number not in range(self.n_speakers):
            raise ConvertError(f"There is no speaker {speaker!r}; name one of {', '.join(self.speakers)}.")
        return number


def main() -> None:
    """Convert a song on the command line."""
    here = Path(sys.argv[0]).resolve().parent
    parser = argparse.ArgumentParser(description="Sing a song in an exported voice. Ask the voice's owner first.")
    parser.add_argument("song", help="a recording of singing without accompaniment")
    parser.add_argument("out", nargs="?", help="wav, flac, mp3 or ogg to write; else <song>-<speaker>.wav")
    parser.add_argument("--voice", default=here, help="the exported folder; else the one that this program lies in")
    parser.add_argument("--speaker", help="who should sing")
    parser.add_argument("--semitones", type=float, default=0, help="shift of the melody")
    given = parser.parse_args()
    out = given.out or f"{Path(given.song).stem}-{given.speaker or 'converted'}.wav"
    try:
        voice = Portable.load(given.voice)
        done = voice.convert(given.song, speaker=given.speaker, semitones=given.semitones, out=out)
    except (ValueError, OSError) as error:
        sys.exit(f"Error: {error}")
    print("\n".join([*(f"Note: {note}" for note in done.notes), f"Written: {out}"]))


if __name__ == "__main__":
    main()
