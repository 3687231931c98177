"""Conversion: a song in, the same song in another voice out.

    converter = Converter.load("voice.safetensors")
    conversion = converter.convert("song.wav", speaker="clara", semitones=12)
    conversion.save("clara.flac")

The song is cut at its silences; each piece is heard by the speech encoder (what is sung) and the pitch predictor (which
notes), sung by the voice model, and joined to the one before. Only one piece is in memory at a time.

Notebook: 05_infer
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import librosa
import numpy as np
import torch

from svcnb import audio, encoders
from svcnb import f0 as pitch
from svcnb.checkpoint import load_sovits
from svcnb.config import Config
from svcnb.encoders.base import pick_device
from svcnb.f0 import F0
from svcnb.mixing import Timeline, frame_weights
from svcnb.options import ConvertError, Options
from svcnb.retrieval import Clusters, Index
from svcnb.retrieval import load as load_retrieval
from svcnb.slicer import Chunk
from svcnb.stream import Piece, Source, at_rate, find_chunks, fit, join, plan, writer

LEAST_PAD = 0.1  # seconds of silence around a piece that encoders and predictors need


@dataclass(frozen=True)
class Conversion:
    """A converted song, as long as the song to the sample."""

    sample_rate: int  # Hz
    hop: int  # samples from frame to frame of f0
    f0: F0  # what was sung, N // hop frames
    chunks: list[Chunk]  # how the song was cut, in samples
    speaker: int | None  # None: a mix
    notes: tuple[str, ...]  # sentences for the person, on what may have gone wrong
    sound: np.ndarray | Path = field(repr=False)  # samples (N,), or the file that they were written to

    @property
    def audio(self) -> np.ndarray:
        """Samples (N,), read back if they were written to a file."""
        return audio.load(self.sound)[0] if isinstance(self.sound, Path) else self.sound

    def save(self, path: str | Path) -> None:
        """Write wav, flac, mp3 or ogg, as the suffix says."""
        audio.save(path, self.audio, self.sample_rate)


class Converter:
    """A voice model with the encoder that it hears through."""

    def __init__(
        self,
        model: torch.nn.Module,
        config: Config,
        encoder: encoders.Encoder,
        device: str = "auto",
        retrieval: Clusters | Index | None = None,
    ):
        if encoder.dim != config.model.ssl_dim:
            raise ConvertError(
                f"The model wants units of {config.model.ssl_dim} values, but {encoder.name} gives {encoder.dim}; "
                f"its config names the encoder {config.model.speech_encoder}."
            )
        self.device = pick_device(device)
        self.model, self.config, self.encoder = model.to(self.device), config, encoder
        self.retrieval = retrieval
        self.sample_rate, self.hop = config.data.sampling_rate, config.data.hop_length
        self._predictors = {}

    @classmethod
    def load(
        cls,
        model: str | Path,
        config: str | Path | None = None,
        *,
        retrieval: str | Path | None = None,
        encoder_path: str | Path | None = None,
        device: str = "auto",
    ) -> "Converter":
        """Load a voice: our .safetensors, or an original .pth with its config.json.

        `retrieval` is a file of clusters or of an index, ours or the original's, that was made of the same data;
        `encoder_path` is the speech encoder's weights file in place of the usual one. Raises CheckpointError,
        ConfigError, EncoderError.
        """
        network, config = load_sovits(model, config)
        encoder = encoders.get(config.model.speech_encoder, encoder_path, device)
        return cls(network, config, encoder, device, None if retrieval is None else load_retrieval(retrieval))

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
        """Convert a file, or an array (N,) or (channels, N) at `sample_rate` (the model's, if not given).

        speaker: name or number; may be left out where there is one. mix: several speakers instead, as a Timeline or
        amounts: by name, by number (S,), or per frame (T, S); nothing is retrieved for it. f0: own melody in Hz, 0
        where unvoiced, a value per `hop` samples at the model's rate, in place of the song's. out: write the result to
        this wav, flac, mp3 or ogg file as it comes, at constant memory. progress: called with the seconds done and the
        seconds in all. options: the fields of `Options`. Raises ConvertError, MixError, RetrievalError, AudioError,
        F0Error, OSError.
        """
        options, speaker = Options.of(options), self.speaker_id(speaker) if mix is None else None
        if options.retrieval_ratio and (mix is not None or self.retrieval is None):
            why = "load clusters or an index for it" if mix is None else "for a mix it must be 0"
            raise ConvertError(f"Nothing can be retrieved with retrieval_ratio {options.retrieval_ratio}: {why}.")
        if options.auto_f0 and not self.config.model.use_automatic_f0_prediction:
            raise ConvertError("This model can not choose the melody (it has no F0 decoder); leave auto_f0 off.")
        if out is not None:
            _check_output(out, song)
        with Source(song, sample_rate or self.sample_rate) as source:
            job = _Job(self, source, speaker, mix, options, f0, progress)
            if out is None:
                sound = np.concatenate(list(job.blocks()))
            else:
                sound = Path(out)
                with writer(sound, self.sample_rate) as write:
                    for block in job.blocks():
                        write(block)
        return Conversion(self.sample_rate, self.hop, job.melody, job.chunks, speaker, tuple(job.notes()), sound)

    def speaker_id(self, speaker: str | int | None) -> int:
        """Number of a speaker given by name or number; None is the only one. Raises ConvertError naming those known."""
        if speaker is None:
            if len(self.config.spk) != 1:
                raise ConvertError(f"This model has several speakers, so name one: {', '.join(self.config.spk)}.")
            speaker = next(iter(self.config.spk))
        try:
            return self.config.speaker_id(speaker)
        except KeyError as error:
            raise ConvertError(f"{error.args[0]}.") from None

    @torch.inference_mode()
    def sing(
        self, wav: np.ndarray, sample_rate: int, speaker: int | np.ndarray, options: Options, f0: F0 | None = None
    ) -> tuple[np.ndarray, F0]:
        """Sing a stretch of sound (N,) in one go; returns it at the model's rate, and the pitch sung per hop.

        speaker: number, or shares of the speakers per frame (N // hop, S). f0: own melody, N // hop frames; both at
        the model's rate.
        """
        length = at_rate(len(wav), sample_rate, self.sample_rate)
        wav = audio.resample(wav, sample_rate, self.sample_rate)[:length]
        units, f0 = self.units_and_f0(wav, options, f0, speaker)
        volume = audio.volume(wav, self.hop) if self.config.model.vol_embedding else None
        sound, hz = self.model.infer(
            units,
            self._row(f0.filled()),
            self._row(f0.voiced),
            **self._voice(speaker),
            volume=None if volume is None else self._row(volume),
            noise_scale=options.noise_scale,
            auto_f0=options.auto_f0,
            generator=torch.Generator().manual_seed(options.seed),  # anew for each piece, as in the original
        )
        sound = librosa.util.fix_length(sound[0, 0].float().cpu().numpy(), size=length)
        sound = audio.match_envelope(wav, sound, self.sample_rate, options.loudness_envelope)
        sound = hush(wav, sound, self.sample_rate, options.slice_db)
        return sound, F0(hz[0].cpu().numpy() * f0.voiced, f0.voiced)

    def units_and_f0(
        self, wav: np.ndarray, options: Options, f0: F0 | None = None, speaker: int | np.ndarray | None = None
    ) -> tuple[torch.Tensor, F0]:
        """Units (1, D, T) and pitch (T,) of sound (N,) at the model's rate, T = N // hop; `f0` replaces the song's.

        speaker: whose units are retrieved, if it is a number.
        """
        if f0 is None:
            f0 = self._predictor(options)(wav)
        f0 = F0(f0.hz * 2 ** (options.semitones / 12), f0.voiced)
        units = self.encoder.units(audio.resample(wav, self.sample_rate, 16000))
        units = encoders.stretch(units, len(wav) // self.hop, self.config.data.unit_interpolate_mode)
        if isinstance(speaker, int):
            units = self._retrieve(units, speaker, options.retrieval_ratio)
        return units.T[None].to(self.device), f0

    def _retrieve(self, units: torch.Tensor, speaker: int, ratio: float | None) -> torch.Tensor:
        if self.retrieval is None or ratio == 0:
            return units
        if isinstance(self.retrieval, Clusters):  # they go by name
            speaker = next((name for name, number in self.config.spk.items() if number == speaker), speaker)
        return self.retrieval.blend(units, speaker, 0.5 if ratio is None else ratio)

    def _voice(self, speaker: int | np.ndarray) -> dict[str, torch.Tensor]:
        """What tells the model who sings."""
        if isinstance(speaker, int):
            return {"speaker": torch.tensor([speaker], device=self.device)}
        return {"mix": torch.from_numpy(speaker).to(self.device)}

    def _predictor(self, options: Options) -> Callable[[np.ndarray], F0]:
        if callable(options.f0_predictor):
            return options.f0_predictor
        key = options.f0_predictor, options.f0_threshold
        if key not in self._predictors:
            self._predictors[key] = pitch.get(
                key[0], self.sample_rate, self.hop, threshold=key[1], device=str(self.device)
            )
        return self._predictors[key]

    def _row(self, values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).float().to(self.device)[None]


class _Job:
    """One song on its way through a converter."""

    def __init__(self, converter: Converter, source: Source, speaker, mix, options: Options, f0, progress):
        self.converter, self.source, self.speaker, self.options = converter, source, speaker, options
        self.rate, self.hop, self.progress = converter.sample_rate, converter.hop, progress
        frames = self._at(source.samples) // self.hop
        speakers = converter.config.spk
        count = len(speakers) or converter.config.model.n_speakers
        self.mix = None if mix is None else frame_weights(mix, speakers, count, max(1, frames))
        self.own = None if f0 is None else _own_melody(f0, frames)
        self.melody = F0(np.zeros(frames), np.zeros(frames, bool))
        self.found = find_chunks(source, options.slice_db)
        self.chunks = [Chunk(self._at(chunk.start), self._at(chunk.end), chunk.voiced) for chunk in self.found]

    def _at(self, sample: int) -> int:
        """Where a sample of the source is in the result."""
        return at_rate(sample, self.source.sample_rate, self.rate)

    def blocks(self) -> Iterator[np.ndarray]:
        """The result, piece by piece."""
        return join(self._parts(), self.options.linear_gradient_retain)

    def _parts(self) -> Iterator[tuple[np.ndarray, int]]:
        rate = self.source.sample_rate
        for piece in plan(self.found, rate, self.options.clip, self.options.linear_gradient):
            start, end = self._at(piece.start), self._at(piece.end)
            wav = self._sing(piece, start, end) if piece.voiced else np.zeros(end - start, np.float32)
            yield wav, self._at(piece.start + piece.overlap) - start
            if self.progress is not None:
                self.progress(piece.end / rate, self.source.samples / rate)

    def _sing(self, piece: Piece, start: int, end: int) -> np.ndarray:
        rate = self.source.sample_rate
        pad = int(max(self.options.pad_seconds, LEAST_PAD) * rate)
        wav = np.pad(self.source.read(piece.start, piece.end), pad)
        before = pad * self.rate // rate
        after = self._at(len(wav)) - before - (end - start)
        first = (start - before) / self.hop  # frame of the song at which the padded piece begins
        frames = (before + end - start + after) // self.hop
        own = None if self.own is None else shift_frames(self.own, first, frames)
        sound, f0 = self.converter.sing(wav, rate, self._singer(first, frames), self.options, own)
        frames = range(-(-start // self.hop), min(-(-end // self.hop), len(self.melody.hz)))
        sung = shift_frames(f0, frames.start - first, len(frames))
        self.melody.hz[frames.start : frames.stop] = sung.hz
        self.melody.voiced[frames.start : frames.stop] = sung.voiced
        return fit(sound[before : len(sound) - after], end - start)

    def _singer(self, first: float, frames: int) -> int | np.ndarray:
        """The speaker, or the mix in `frames` frames from `first` on."""
        if self.mix is None:
            return self.speaker
        return self.mix[np.round(first + np.arange(frames)).astype(int).clip(0, len(self.mix) - 1)]

    def notes(self) -> Iterator[str]:
        """What the person should know about the result."""
        if not any(chunk.voiced for chunk in self.chunks):
            yield (
                f"Nothing in the song is louder than {self.options.slice_db:g} dB, so the result is silent; "
                "lower slice_db to convert quieter singing."
            )
        elif not self.melody.voiced.any():
            yield (
                "No pitch was found in the song, so the result is breath without notes; lower f0_threshold or "
                "try another f0_predictor."
            )


def hush(source: np.ndarray, output: np.ndarray, sample_rate: int, silence_db: float) -> np.ndarray:
    """`output`, kept down wherever `source` is silent: a model makes a voice even of room noise.

    Where the source, over a tenth of a second, is under `silence_db`, the output is at most twice as loud as it, their
    overall levels matched; 6 dB above, it is free.
    """
    hop = max(1, sample_rate // 100)
    song, made = (audio.rms(wav, 10 * hop, hop) for wav in (source, output))
    allowed = 2 * song * np.sqrt(np.mean(output**2) / max(np.mean(source**2), 1e-12))
    doubt = np.clip(2 - song / 10 ** (silence_db / 20), 0, 1)
    gain = 1 - doubt * (1 - np.minimum(1, allowed / np.maximum(made, 1e-9)))
    return output * np.interp(np.arange(len(output)) / hop, np.arange(len(gain)), gain).astype(np.float32)


def shift_frames(f0: F0, first: float, frames: int) -> F0:
    """`frames` of a pitch curve from frame `first` on, which may lie between two; unvoiced beyond its ends."""
    at = first + np.arange(frames)
    near = np.round(at).astype(int)
    inside = (near >= 0) & (near < len(f0.hz))
    voiced = inside & f0.voiced[near.clip(0, len(f0.hz) - 1)] if len(f0.hz) else inside
    hz = np.interp(at, np.arange(len(f0.hz)), f0.filled()) if len(f0.hz) else np.zeros(frames)
    return F0(np.where(voiced, hz, 0), voiced)


def _own_melody(f0: np.ndarray | F0, frames: int) -> F0:
    hz = np.asarray(f0.hz if isinstance(f0, F0) else f0, np.float64)
    if hz.ndim != 1 or abs(len(hz) - frames) > 1:  # one more or less: the rounding of a resampler
        raise ConvertError(f"The melody has the shape {hz.shape}, but this song has {frames} frames, one per hop.")
    if not (np.isfinite(hz).all() and (hz >= 0).all()):
        raise ConvertError("The melody must be in Hz, 0 where unvoiced; this one holds other values.")
    return F0(hz, hz > 0)


def _check_output(out: str | Path, song: str | Path | np.ndarray) -> None:
    audio.output_format(out)
    if isinstance(song, (str, Path)) and Path(out).resolve() == Path(song).resolve():
        raise ConvertError(f"{out} is the song itself; give the result another name.")
