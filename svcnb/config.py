"""Every setting of a voice model as a typed tree, read from and written to the original's two files.

`Config` is config.json (So-VITS), `DiffusionConfig` is diffusion.yaml. A field's default is what the original does when
an older file lacks the field, so files of so-vits-svc 4.0 load as they are; `Config.preset` gives the values of the
original's templates (`full`, `tiny`) and of our small model (`lesson`). Keys we do not know are kept and written back,
unless they look like a misspelling of one that is missing.

Notebook: 03_train_sovits
"""

import difflib
import json
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from typing_extensions import Self

from svcnb.files import write_whole
from svcnb.presets import PRESETS

UNITS_DIM = {  # width of each speech encoder's units: the original's thirteen names, then ours
    "vec768l12": 768, "vec256l9": 256, "vec256l9-onnx": 256, "vec256l12-onnx": 256, "vec768l9-onnx": 768,
    "vec768l12-onnx": 768, "hubertsoft": 256, "hubertsoft-onnx": 256, "whisper-ppg": 1024, "whisper-ppg-large": 1280,
    "cnhubertlarge": 1024, "dphubert": 768, "wavlmbase+": 768,
    "whisper-ppg-base": 512, "lesson": 64,
}  # fmt: skip


class ConfigError(ValueError):
    """A setting is missing, misspelt or of the wrong kind; the message names it."""


class Section(BaseModel):
    """A group of settings: attribute access, unknown keys kept, assignments checked."""

    model_config = ConfigDict(extra="allow", validate_assignment=True, protected_namespaces=())

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in type(self).model_fields and name not in (self.model_extra or {}):
            raise ConfigError(f"There is no setting {name!r}{_nearest(name, type(self).model_fields)}.")
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            raise ConfigError(_explain(error)) from None


class TrainConfig(Section):
    log_interval: int = 200  # steps between log lines
    eval_interval: int = 800  # steps between evaluations; each also saves
    seed: int = 1234
    epochs: int = 10000
    learning_rate: float = 1e-4  # AdamW, both networks
    betas: tuple[float, float] = (0.8, 0.99)
    eps: float = 1e-9
    batch_size: int = 6  # per process
    fp16_run: bool = False  # mixed precision, in the type that half_type names
    half_type: str = "fp16"  # "bf16", or anything else for float16
    lr_decay: float = 0.999875  # learning rate factor per epoch
    segment_size: int = 10240  # samples that the decoder makes per clip and step
    init_lr_ratio: float = 1  # never read by the original
    warmup_epochs: int = 0  # epochs of linear warm-up
    c_mel: float = 45  # weight of the mel loss
    c_kl: float = 1.0  # weight of the KL divergence
    use_sr: bool = True  # never read by the original
    max_speclen: int = 512  # never read by the original
    port: str = "8001"  # several processes: where they meet
    keep_ckpts: int = 3  # checkpoints kept beside the base models; 0 keeps all
    all_in_mem: bool = False  # hold every clip in memory
    vol_aug: bool = False  # random loudness, for models with vol_embedding
    # ours: off by default, so that the original's recipe stays what it is
    crop_frames: int = 790  # a clip of over crop_frames + 10 frames is cut to a random stretch of this length
    grad_clip: float = 0.0  # largest gradient norm; 0 does not clip
    c_stft: float = 0.0  # weight of the multi-resolution spectral loss
    c_level: float = 0.0  # weight of the loudness loss
    c_gen: float = 1.0  # weight of the adversarial loss
    c_fm: float = 1.0  # weight of the feature matching loss
    disc_start: int = 0  # first step with a discriminator: reconstruction first
    clear_start: bool = False  # start with a loud sine source and quiet latents, for small models and short trainings
    vol_jitter: float = 0.0  # dB by which the loudness that the model is told errs, as that of another singer does
    no_hum: bool = False  # keep upsampling layers from repeating a pattern in every frame
    prior_share: float = 0.0  # share of a batch decoded from the prior, as in conversion, instead of the posterior
    disc_width: float = 1.0  # width of the discriminator's layers; 1 is the original's
    ema_decay: float = 0.0  # averaged generator for conversion; 0 keeps none
    lora_rank: int = 0  # of low-rank weights, trained beside a frozen base model; 0 trains the model itself
    pitch_aug: float = 0.0  # largest random shift of pitch in semitones, formants moving along


class DataConfig(Section):
    training_files: str = "filelists/train.txt"
    validation_files: str = "filelists/val.txt"
    max_wav_value: float = 32768.0
    sampling_rate: int = 44100  # Hz
    filter_length: int = 2048  # samples per spectrum
    hop_length: int = 512  # samples per frame
    win_length: int = 2048  # samples per window
    n_mel_channels: int = 80  # bands of the training loss
    mel_fmin: float = 0.0  # Hz
    mel_fmax: float | None = 22050  # Hz
    unit_interpolate_mode: str = "left"  # how units are stretched to frames; the templates say "nearest"


class ModelConfig(Section):
    inter_channels: int
    hidden_channels: int
    filter_channels: int
    n_heads: int
    n_layers: int
    kernel_size: int
    p_dropout: float
    resblock: str
    resblock_kernel_sizes: list[int]
    resblock_dilation_sizes: list[list[int]]
    upsample_rates: list[int]  # their product is data.hop_length
    upsample_initial_channel: int
    upsample_kernel_sizes: list[int]
    gin_channels: int  # width of the speaker embedding
    ssl_dim: int  # width of the units
    n_speakers: int
    n_layers_q: int = 3  # never read by the original
    n_layers_trans_flow: int = 3  # transformer layers in each coupling
    n_flow_layer: int = 4  # WN layers in each of 4 couplings; with a transformer flow, the number of couplings
    use_spectral_norm: bool = False  # discriminator
    vocoder_name: str = "nsf-hifigan"  # or "nsf-snake-hifigan"
    speech_encoder: str = "vec768l12"
    speaker_embedding: bool = False  # never read by the original
    vol_embedding: bool = False  # loudness as an input
    use_depthwise_conv: bool = False
    flow_share_parameter: bool = False
    use_automatic_f0_prediction: bool = True
    use_transformer_flow: bool = False
    sampling_rate: int = 44100  # Hz of the sine source; not in the templates
    # ours: a wave with every overtone beside the nine sines, for small decoders; the original can not read such models
    sawtooth: bool = False


class Tree(Section):
    """A whole settings file; as JSON where a kind of file does not say otherwise."""

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read the file. Raises ConfigError, FileNotFoundError."""
        return cls.parse(_read(path, json.loads), str(path))

    def save(self, path: str | Path) -> None:
        """Write the file, with the keys that were given or set, unknown ones too."""
        write_whole(path, json.dumps(self.tree(), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def parse(cls, tree: dict, where: str = "config") -> Self:
        """Build from plain dictionaries. Raises ConfigError naming the key and, where there is one, its nearest."""
        if not isinstance(tree, dict):
            raise ConfigError(f"{where} should hold sections of settings, but holds {type(tree).__name__}.")
        _refuse_misspelt(cls, tree, where)
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            raise ConfigError(f"{where}: {_explain(error)}") from None

    def tree(self) -> dict:
        """The settings as plain dictionaries, with just the keys that were given."""
        return self.model_dump(exclude_unset=True, mode="json")

    def copy_with(self, **sections: dict) -> Self:
        """A copy with some settings changed: `config.copy_with(train={"batch_size": 2})`."""
        copy = self.model_copy(deep=True)
        for section, values in sections.items():
            for key, value in values.items():
                setattr(getattr(copy, section), key, value)
            getattr(self, section)  # an unknown section raises AttributeError
        return copy


class Config(Tree):
    """config.json of a So-VITS model."""

    train: TrainConfig = TrainConfig()
    data: DataConfig = DataConfig()
    model: ModelConfig
    spk: dict[str, int] = {}

    @classmethod
    def preset(cls, name: str = "full", encoder: str = "vec768l12", speakers: list[str] | None = None) -> Self:
        """Settings to start from: `full` and `tiny` are the original's templates, `lesson` trains on a laptop.

        The widths that depend on the speech encoder are set as the original's preparation does.
        Raises ConfigError for an unknown preset or encoder.
        """
        if name not in PRESETS:
            raise ConfigError(f"There is no preset {name!r}{_nearest(name, PRESETS)}.")
        if encoder not in UNITS_DIM:
            raise ConfigError(f"There is no speech encoder {encoder!r}{_nearest(encoder, UNITS_DIM)}.")
        tree, dim = deepcopy(PRESETS[name]), UNITS_DIM[encoder]
        model = tree["model"]
        model.update(ssl_dim=dim, speech_encoder=encoder)
        if name != "lesson":
            model["gin_channels"] = dim
        if name == "full" and dim != 256:  # the original leaves the template's width for 256-dim encoders
            model["filter_channels"] = dim
        if speakers is not None:
            tree["spk"] = {speaker: i for i, speaker in enumerate(speakers)}
            model["n_speakers"] = len(speakers)
        return cls.parse(tree, f"preset {name}")

    def speaker_id(self, speaker: str | int) -> int:
        """Number of a speaker given by name or number. Raises KeyError naming those that there are."""
        return _number(speaker, self.spk, self.model.n_speakers)


class VocoderConfig(Tree):
    """config.json of a mel vocoder (NSF-HiFiGAN); what only its training reads is kept as it is."""

    sampling_rate: int  # Hz
    num_mels: int
    n_fft: int
    hop_size: int  # samples per frame, and the product of upsample_rates
    win_size: int
    fmin: float  # Hz
    fmax: float | None
    resblock: str | int  # the text "1" is the large kind, anything else the small one
    resblock_kernel_sizes: list[int]
    resblock_dilation_sizes: list[list[int]]
    upsample_rates: list[int]
    upsample_kernel_sizes: list[int]
    upsample_initial_channel: int
    sawtooth: bool = False  # ours: a wave with every overtone beside the nine sines, for small decoders


class DiffusionDataConfig(Section):
    sampling_rate: int = 44100  # Hz
    block_size: int = 512  # samples per frame
    duration: float = 2  # seconds of a training crop
    encoder: str = "vec768l12"  # speech encoder
    cnhubertsoft_gate: int = 10  # never read by the original
    encoder_sample_rate: int = 16000  # never read by the original
    encoder_hop_size: int = 320  # never read by the original
    encoder_out_channels: int = 768  # width of the units
    training_files: str = "filelists/train.txt"
    validation_files: str = "filelists/val.txt"
    extensions: list[str] = ["wav"]  # never read: clips are wav
    unit_interpolate_mode: str = "left"  # how units are stretched to frames; the template says "nearest"


class DiffusionModelConfig(Section):
    type: Literal["Diffusion", "RectifiedFlow"] = "Diffusion"  # the original has the first, and reads neither
    n_layers: int = 20  # denoiser depth
    n_chans: int = 512  # denoiser width
    n_hidden: int = 256  # width of the condition
    use_pitch_aug: bool = True  # half of the clips shifted in pitch, formants and all, and the network told
    timesteps: int = 1000  # of noise, from none to nothing else
    k_step_max: int = 0  # 0 trains all steps, else only the first k
    n_spk: int = 1  # speakers; of one the network is not told


class VocoderPaths(Section):
    type: Literal["nsf-hifigan", "nsf-hifigan-log10"] = "nsf-hifigan"  # the second wants decimal logarithms
    ckpt: str = "pretrain/nsf_hifigan/model"  # config.json lies beside it


class DiffusionInferConfig(Section):
    speedup: int = 10  # steps that one network call goes back
    method: str = "dpm-solver++"  # the sampler, where none is asked for


class DiffusionEnv(Section):
    expdir: str = "logs/44k/diffusion"  # inside the work folder: models, state, curves
    gpu_id: int = 0  # which GPU trains, where device is cuda


class DiffusionTrainConfig(Section):
    num_workers: int = 4  # processes that read clips, where they are not cached
    amp_dtype: str = "fp32"  # fp32, fp16, bf16: what a training computes in
    batch_size: int = 48  # per process
    cache_all_data: bool = True  # keep mels and units in memory; then each clip has one random shift
    cache_device: str = "cpu"  # or cuda: where they are kept
    cache_fp16: bool = True  # keep them in half precision
    epochs: int = 100000
    interval_log: int = 10  # steps between log lines
    interval_val: int = 2000  # steps between validations; each also saves
    interval_force_save: int = 5000  # models of multiples of this many steps stay
    lr: float = 1e-4  # AdamW
    decay_step: int = 100000  # steps after which the rate is multiplied by gamma
    gamma: float = 0.5
    weight_decay: float = 0
    save_opt: bool = False  # the optimiser in the models, too, as the original goes on from there
    ema_decay: float = 0.0  # ours: averaged weights in the saved models; 0 keeps none
    clear_start: bool = False  # ours: start by saying that all is noise, for small models and short trainings
    warmup_steps: int = 0  # ours: the rate rises from 0 in the first steps


class DiffusionConfig(Tree):
    """diffusion.yaml of a diffusion model."""

    data: DiffusionDataConfig = DiffusionDataConfig()
    model: DiffusionModelConfig = DiffusionModelConfig()
    device: str = "cuda"
    vocoder: VocoderPaths = VocoderPaths()
    infer: DiffusionInferConfig = DiffusionInferConfig()
    env: DiffusionEnv = DiffusionEnv()
    train: DiffusionTrainConfig = DiffusionTrainConfig()
    spk: dict[str, int] = {}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read diffusion.yaml. Raises ConfigError, FileNotFoundError."""
        return cls.parse(_read(path, yaml.safe_load), str(path))

    def save(self, path: str | Path) -> None:
        """Write diffusion.yaml, with the keys that were given or set, unknown ones too."""
        write_whole(path, yaml.safe_dump(self.tree(), sort_keys=False, allow_unicode=True))

    @classmethod
    def preset(cls, encoder: str = "vec768l12", speakers: list[str] | None = None) -> Self:
        """The original's template for a speech encoder and a list of speakers."""
        if encoder not in UNITS_DIM:
            raise ConfigError(f"There is no speech encoder {encoder!r}{_nearest(encoder, UNITS_DIM)}.")
        data = DiffusionDataConfig(encoder=encoder, encoder_out_channels=UNITS_DIM[encoder])
        config = cls(data=data.model_copy(update={"unit_interpolate_mode": "nearest"}))
        config.spk = {speaker: i for i, speaker in enumerate(speakers or [])}
        config.model.n_spk = max(1, len(config.spk))
        ours = {"train": {"ema_decay", "clear_start", "warmup_steps"}}  # not in the template
        return cls.parse(config.model_dump(mode="json", exclude=ours), "preset diffusion")

    def speaker_id(self, speaker: str | int) -> int:
        """Number of a speaker given by name or number. Raises KeyError naming those that there are."""
        return _number(speaker, self.spk, self.model.n_spk)


def _number(speaker: str | int, names: dict[str, int], count: int) -> int:
    if isinstance(speaker, str) and speaker in names:
        return names[speaker]
    if isinstance(speaker, int) and not isinstance(speaker, bool) and 0 <= speaker < count:
        return speaker
    known = ", ".join(names) or f"numbers 0 to {count - 1}"
    raise KeyError(f"This model has no speaker {speaker!r}; it has {known}")


def _read(path: str | Path, parser) -> dict:
    try:
        return parser(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not a readable settings file: {error}") from None


def _nearest(name: str, valid) -> str:
    match = difflib.get_close_matches(name, list(valid), 1, 0.5)
    return f"; did you mean {match[0]!r}?" if match else f"; there are {', '.join(map(repr, valid))}"


def _refuse_misspelt(section: type[Section], tree: dict, where: str) -> None:
    """An unknown key close to a valid one that is absent is taken for a slip of the pen."""
    absent = [key for key in section.model_fields if key not in tree]
    for key, value in tree.items():
        field = section.model_fields.get(key)
        if field is None:
            if match := difflib.get_close_matches(str(key), absent, 1, 0.8):
                raise ConfigError(f"{where}: there is no setting {key!r}; did you mean {match[0]!r}?")
        elif isinstance(value, dict) and isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            _refuse_misspelt(field.annotation, value, f"{where}, section {key}")


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"the setting {key} is missing."
    return f"the setting {key} is {first['input']!r}, but {first['msg'][0].lower()}{first['msg'][1:]}."
