"""Conversion: a song in, the same song in another voice out.

    converter = Converter.load("voice.safetensors")
    conversion = converter.convert("song.wav", speaker="clara", semitones=12)
    conversion.save("clara.flac")

The song is cut at its silences; each piece is heard by the speech encoder (what is sung) and the pitch predictor (which
notes), sung by the voice model, perhaps once more by a diffusion model or an enhancer, and joined to the one before. A
diffusion model can sing alone, too. While one piece is sung the next is heard, so two are in memory.

Notebook: 05_infer
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import librosa
import numpy as np
import torch

from svcnb import audio, encoders
from svcnb import f0 as pitch
from svcnb.checkpoint import load_sovits, load_vocoder
from svcnb.config import Config, DiffusionConfig
from svcnb.diffuse import Heard, SecondVoice
from svcnb.encoders.base import pick_device
from svcnb.enhance import enhance
from svcnb.f0 import F0
from svcnb.job import Conversion, not_empty, perform
from svcnb.mixing import Timeline
from svcnb.models.ready import ready_to_sing
from svcnb.models.vocoder import Vocoder
from svcnb.options import KNOWN, ConvertError, Options
from svcnb.retrieval import Clusters, Index
from svcnb.retrieval import load as load_retrieval
from svcnb.spectral import resample
from svcnb.stream import at_rate

DIFFUSION = [name for name, known in KNOWN.items() if known["needs"] == "diffusion"]


class Converter:
    """A voice model with the encoder that it hears through, and what sings after it; or a diffusion model alone."""

    def __init__(
        self,
        model: torch.nn.Module | None,
        config: Config | None,
        encoder: encoders.Encoder,
        device: str = "auto",
        retrieval: Clusters | Index | None = None,
        diffusion: SecondVoice | None = None,
        enhancer: Vocoder | None = None,
    ):
        self.device = pick_device(device)
        self.config = config = diffusion.config if model is None else config
        self.speakers = config.spk  # numbers by name
        dim = config.data.encoder_out_channels if model is None else config.model.ssl_dim
        if encoder.dim != dim:
            raise ConvertError(
                f"The model wants units of {dim} values, but {encoder.name} gives {encoder.dim}; "
                f"its config names the encoder {_encoder_name(config)}."
            )
        if model is not None:
            model.to(self.device)
            if diffusion is not None:
                diffusion.join(config)
        self.model, self.encoder, self.retrieval = model, encoder, retrieval
        self.diffusion, self.enhancer = diffusion, None if enhancer is None else enhancer.to(self.device)
        self.sample_rate = config.data.sampling_rate
        self.hop = config.data.block_size if model is None else config.data.hop_length
        self.n_speakers = len(config.spk) or (config.model.n_spk if model is None else config.model.n_speakers)
        self._predictors = {}

    @classmethod
    def load(
        cls,
        model: str | Path | None = None,
        config: str | Path | None = None,
        *,
        diffusion: str | Path | None = None,
        diffusion_config: str | Path | None = None,
        vocoder: str | Path | None = None,
        enhancer: str | Path | None = None,
        retrieval: str | Path | None = None,
        encoder_path: str | Path | None = None,
        device: str = "auto",
        precision: str = "fp32",
    ) -> "Converter":
        """Load a voice: our .safetensors, or an original .pth with its config.json.

        diffusion: a diffusion model, ours or the original's model_….pt with its config.yaml; it sings what the voice
        has sung once more, or alone where `model` is left out. Its `vocoder` is a folder or a file, if not the one that
        its settings name. enhancer: a vocoder that sings once more without a diffusion model. retrieval: a file of
        clusters or of an index, ours or the original's, that was made of the same data. encoder_path: the speech
        encoder's weights file in place of the usual one. precision: "bf16" lets the decoder and the vocoders work in
        bfloat16, twice as fast where the device has it natively and a little rougher; "auto" does so only there. Raises
        CheckpointError, ConfigError, ConvertError, EncoderError, ValueError.
        """
        if model is None and diffusion is None:
            raise ConvertError("There is nothing to sing with: give a voice model, a diffusion model, or both.")
        device = pick_device(device)
        network, config = (None, None) if model is None else load_sovits(model, config)
        second = None if diffusion is None else SecondVoice.load(diffusion, diffusion_config, vocoder, device)
        third = None if enhancer is None else load_vocoder(enhancer)
        encoder = encoders.get(_encoder_name(config or second.config), encoder_path, str(device))
        table = None if retrieval is None else load_retrieval(retrieval)
        for part in (network, second and second.vocoder, third):
            if part is not None:
                ready_to_sing(part.to(device), precision)
        return cls(network, config, encoder, str(device), table, second, third)

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
        self._refuse(options, mix is not None)
        return perform(self, song, sample_rate, speaker, mix, options, f0, out, progress)

    def speaker_id(self, speaker: str | int | None) -> int:
        """Number of a speaker given by name or number; None is the only one. Raises ConvertError naming those known."""
        if speaker is None:
            if self.n_speakers != 1:
                raise ConvertError(f"This model has several speakers, so name one: {', '.join(self.config.spk)}.")
            speaker = next(iter(self.config.spk), 0)
        try:
            return self.config.speaker_id(speaker)
        except KeyError as error:
            raise ConvertError(f"{error.args[0]}.") from None

    def alone(self, options: Options) -> bool:
        """Whether the diffusion model sings alone."""
        return self.model is None or options.only_diffusion

    def _refuse(self, options: Options, mixed: bool) -> None:
        """Raise ConvertError for options that this converter can not follow."""
        if options.retrieval_ratio and (mixed or self.retrieval is None):
            why = "for a mix it must be 0" if mixed else "load clusters or an index for it"
            raise ConvertError(f"Nothing can be retrieved with retrieval_ratio {options.retrieval_ratio}: {why}.")
        if options.auto_f0 and (self.alone(options) or not self.config.model.use_automatic_f0_prediction):
            raise ConvertError("This model can not choose the melody (it has no F0 decoder); leave auto_f0 off.")
        if self.diffusion is not None:
            self.diffusion.steps(options, shallow=not self.alone(options))
        elif asked := [name for name in DIFFUSION if getattr(options, name)]:
            raise ConvertError(f"{asked[0]} is for a diffusion model, and none is loaded: Converter.load(diffusion=…).")

    def sing(
        self, wav: np.ndarray, sample_rate: int, speaker: int | np.ndarray, options: Options, f0: F0 | None = None
    ) -> tuple[np.ndarray, F0]:
        """Sing a stretch of sound (N,) in one go; returns it at the model's rate, and the pitch sung per hop.

        speaker: number, or shares of the speakers per frame (N // hop, S). f0: own melody, N // hop frames; both at
        the model's rate.
        """
        return self.hear(wav, sample_rate, speaker, options, f0)()

    @torch.inference_mode()
    def hear(self, wav, sample_rate, speaker, options, f0=None) -> Callable[[], tuple[np.ndarray, F0]]:
        """The first half of `sing`: units and pitch; what is returned does the second half."""
        length = at_rate(len(wav), sample_rate, self.sample_rate)
        loud = not_empty(wav, length // self.hop)
        wav = audio.resample(wav, sample_rate, self.sample_rate)[:length]
        units, f0 = self.units_and_f0(wav, options, f0, speaker)
        volume = self._row(audio.volume(wav, self.hop))
        heard = Heard(units, self._row(f0.filled()), self._row(f0.voiced), volume, speaker)
        return partial(self._sing, wav, heard, f0.voiced, loud, options)

    @torch.inference_mode()
    def _sing(self, wav: np.ndarray, heard: Heard, voiced: np.ndarray, loud: slice, options: Options) -> tuple:
        """Sound as long as wav, at the model's rate, and the pitch sung."""
        noise = torch.Generator().manual_seed(options.seed)  # anew for each piece, as in the original
        if self.alone(options):
            sound = self.diffusion.sing(heard, options, generator=noise)
        else:
            sound, hz = self._first(heard, options, noise, loud)
            heard = heard._replace(f0=hz)
            sound = self._once_more(sound, heard, options, noise)
        sound = librosa.util.fix_length(sound[0].float().cpu().numpy(), size=len(wav))
        sound = audio.match_envelope(wav, sound, self.sample_rate, options.loudness_envelope)
        sound = audio.hush(wav, sound, self.sample_rate, options.slice_db)
        return sound, F0(heard.f0[0].cpu().numpy() * voiced, voiced)

    def _first(self, heard: Heard, options: Options, noise: torch.Generator, frames: slice) -> tuple:
        """What the voice model sings (1, T * hop), and at which pitch (1, T).

        frames: those that are wanted, if nobody sings it once more.
        """
        sound, hz = self.model.infer(
            heard.units,
            heard.f0,
            heard.voiced,
            **self._voice(heard.speaker),
            volume=heard.volume if self.config.model.vol_embedding else None,
            noise_scale=options.noise_scale,
            auto_f0=options.auto_f0,
            generator=noise,
            frames=frames if self.diffusion is None and self.enhancer is None else None,
        )
        return sound[:, 0].float(), hz

    def _once_more(self, sound: torch.Tensor, heard: Heard, options: Options, noise: torch.Generator) -> torch.Tensor:
        """The same, sung again by the diffusion model or the enhancer, if there is one."""
        if self.diffusion is not None:
            wav = sound[0].cpu().numpy()
            if not self.config.model.vol_embedding:  # a voice that was not told the loudness of the song has its own
                heard = heard._replace(volume=self._row(audio.volume(wav, self.hop)))
            if options.second_encoding:
                heard = heard._replace(units=self._units(wav).T[None].to(self.device))
            return self.diffusion.sing(heard, options, sound, noise)
        if self.enhancer is not None:
            sung = enhance(self.enhancer, sound, self.sample_rate, heard.f0, self.hop, options.enhancer_key, noise)
            return resample(sung, self.enhancer.sampling_rate, self.sample_rate)
        return sound

    def units_and_f0(
        self, wav: np.ndarray, options: Options, f0: F0 | None = None, speaker: int | np.ndarray | None = None
    ) -> tuple[torch.Tensor, F0]:
        """Units (1, D, T) and pitch (T,) of sound (N,) at the model's rate, T = N // hop; `f0` replaces the song's.

        speaker: whose units are retrieved, if it is a number.
        """
        if f0 is None:
            f0 = self._predictor(options)(wav)
        f0, units = F0(f0.hz * 2 ** (options.semitones / 12), f0.voiced), self._units(wav)
        if isinstance(speaker, int):
            units = self._retrieve(units, speaker, options.retrieval_ratio)
        return units.T[None].to(self.device), f0

    def _units(self, wav: np.ndarray) -> torch.Tensor:
        units = self.encoder.units(audio.resample(wav, self.sample_rate, 16000))
        return encoders.stretch(units, len(wav) // self.hop, self.config.data.unit_interpolate_mode)

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


def _encoder_name(config: Config | DiffusionConfig) -> str:
    return config.model.speech_encoder if isinstance(config, Config) else config.data.encoder
