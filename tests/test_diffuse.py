"""Diffusion in conversion: what each network is given, which combinations there are, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from svcnb import checkpoint, lesson
from svcnb import convert as convert_module
from svcnb.config import ConfigError, DiffusionConfig
from svcnb.convert import Converter, ConvertError, Options
from svcnb.diffuse import SecondVoice, find_vocoder
from svcnb.mixing import Timeline
from svcnb.models.diffusion import Unit2Mel
from svcnb.models.noising import GaussianDiffusion
from svcnb.models.sovits import Sovits

from .models.conftest import close
from .test_convert import SPEAKERS, StandInEncoder, StandInModel, config, predictor, tone
from .training.test_train_vocoder import CONFIG as VOCODER


def settings(speakers=SPEAKERS, hop=160, data=None, **changes):
    tree = DiffusionConfig.preset("vec768l12", speakers)
    own = dict(sampling_rate=16000, block_size=hop, encoder="lesson", encoder_out_channels=6)
    return tree.copy_with(data=own | (data or {}), infer=dict(method="unipc", speedup=10), **changes)


class StandInDiffusion(torch.nn.Module):
    """The diffusion of the golden wiring: the mel it begins with, or units, with the pitch added."""

    mels, k_step_max, timesteps = 4, 1000, 1000
    calls = Unit2Mel.calls

    def __init__(self):
        super().__init__()
        self.decoder = GaussianDiffusion(None)

    def forward(self, units, f0, volume, source_mel=None, generator=None, **given):
        self.given = SimpleNamespace(units=units, f0=f0, volume=volume, source_mel=source_mel, **given)
        return units[:, :, :4] + f0 / 100 if source_mel is None else source_mel + 0.5 * f0 / 100


class StandInVocoder(torch.nn.Module):
    """The vocoder of the golden wiring: four samples of each frame, and their mean."""

    n_mels, sampling_rate, hop = 4, 16000, 160

    def mel(self, sound, rate):
        return -sound.unfold(1, 160, 160)[..., :4]

    def forward(self, mel, f0, generator):
        self.given = mel, f0
        return 0.01 * mel.mean(-1).repeat_interleave(160, 1)[:, None]


def second(**changes):
    return SecondVoice(StandInDiffusion(), settings(**changes), StandInVocoder())


def converter(vol=False, **changes):
    return Converter(StandInModel(), config(vol_embedding=vol), StandInEncoder(), "cpu", diffusion=second(**changes))


def alone(**changes):
    return Converter(None, None, StandInEncoder(), "cpu", diffusion=second(**changes))


MODES = {
    "shallow": (lambda: converter(vol=True), {"k_step": 70}),
    "shallow_novol_secondenc_autof0": (converter, {"second_encoding": True, "auto_f0": True}),
    "only_diffusion": (alone, {"semitones": -12}),
}


@pytest.mark.parametrize("mode", MODES)
def test_the_networks_receive_what_the_original_gives_them(golden, mode):
    g = load_file(golden("inference/svc_infer_wiring.safetensors"))
    get = lambda part: g[f"{mode}.{part}"]
    build, options = MODES[mode]
    converter = build()
    made, f0 = converter.sing(
        g["wav16k_input"].numpy(), 16000, converter.speaker_id("b"), Options(f0_predictor=predictor, **options)
    )
    told, (mel, pitch) = converter.diffusion.model.given, converter.diffusion.vocoder.given
    close(told.units, get("diff_units").view(1, 60, 6))
    assert told.speaker.tolist() == get("diff_spk")[0].tolist()
    close(told.volume, get("diff_vol"))
    later = slice(2, None)  # the stand-in of the original leaves a pitch in the first two frames, which are unvoiced
    for ours, part in ((told.f0, "diff_f0"), (pitch, "voc_f0"), (mel, "voc_mel")):
        close(ours[:, later], get(part)[:, later], atol=1e-4)
    assert (told.source_mel is None) == (mode == "only_diffusion")
    if told.source_mel is not None:
        close(told.source_mel, get("diff_gt"))
    close(made[320:], get("audio")[320:])
    close(f0.hz[2:].astype(np.float32), get("diff_f0")[0, 2:, 0], atol=1e-3)
    assert (told.sampler, told.speedup) == ("unipc", 10)
    assert told.k_step == {"shallow": 70, "only_diffusion": None}.get(mode, 100)


def test_a_speaker_is_found_by_name_whatever_its_number():
    turned = converter(speakers=["x", "b", "a"])
    turned.convert(tone(), 16000, "a", f0_predictor=predictor)
    assert turned.model.calls[0].speaker.tolist() == [0]
    assert turned.diffusion.model.given.speaker.tolist() == [2]
    turned.convert(tone(), 16000, mix={"a": 1, "b": 3}, f0_predictor=predictor)
    assert (turned.diffusion.model.given.mix == torch.tensor([0, 0.75, 0.25])).all()
    with pytest.raises(ConvertError, match="does not know the voice's speaker 'b', only a, c"):
        converter(speakers=["a", "c"])
    converter(speakers=["c"]).convert(tone(), 16000, "b", f0_predictor=predictor)  # of one speaker: it needs no name


def test_only_the_speakers_of_a_lone_model_count():
    lone = alone(speakers=["x", "y", "z"])
    assert [lone.speaker_id(who) for who in ("z", 0, 2)] == [2, 0, 2] and lone.hop == 160
    with pytest.raises(ConvertError, match="has no speaker 3; it has x, y, z"):
        lone.speaker_id(3)
    with pytest.raises(ConvertError, match="several speakers, so name one: x, y, z"):
        lone.speaker_id(None)
    assert alone(speakers=[]).speaker_id(None) == 0


def test_combinations():
    both = converter()
    both.convert(tone(), 16000, "a", f0_predictor=predictor, only_diffusion=True)
    assert not both.model.calls and both.diffusion.model.given.source_mel is None
    conversion = both.convert(tone(), 16000, "a", f0_predictor=predictor, only_diffusion=True, second_encoding=True)
    assert "second_encoding has no effect" in conversion.notes[0]
    both.enhancer = StandInVocoder()
    conversion = both.convert(tone(), 16000, "a", f0_predictor=predictor)
    assert both.model.calls and conversion.notes == (
        "The enhancer is left out: the diffusion model's vocoder has the last word.",
    )
    with pytest.raises(ConvertError, match="leave auto_f0 off"):
        both.convert(tone(), 16000, "a", auto_f0=True, only_diffusion=True)
    with pytest.raises(ConvertError, match="nothing to sing with"):
        Converter.load()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"k_step": 1001}, r"k_step is 1001, but this model was trained on 1 to 1000 steps"),
        ({"k_step": 0}, "it must be 1 at least"),
        ({"k_step": 50, "speedup": 30}, r"unipc needs at least two calls: 60 steps for a speedup of 30, not 50"),
        ({"sampler": "pndm", "k_step": 30, "speedup": 30}, r"pndm needs more than 30 steps"),
        ({"sampler": "plms"}, r"no sampler 'plms' for diffusion; there are ddpm"),
        ({"enhancer_key": 30}, r"from -24 to 24"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_sung(options, said):
    both = converter()
    with pytest.raises(ConvertError, match=said):
        both.convert(tone(), 16000, "a", f0_predictor=predictor, **options)
    assert not both.model.calls


def test_without_a_diffusion_model_its_options_are_refused():
    voice = Converter(StandInModel(), config(), StandInEncoder(), "cpu")
    for option in ({"k_step": 10}, {"only_diffusion": True}, {"sampler": "ddim"}, {"second_encoding": True}):
        with pytest.raises(ConvertError, match=f"{next(iter(option))} is for a diffusion model, and none is loaded"):
            voice.convert(tone(), 16000, "a", **option)


def test_a_speedup_that_nobody_asked_for_gives_way():
    both, plan = converter(), lambda **options: tuple(both.diffusion.steps(Options(**options), True).values())
    assert plan() == (100, "unipc", 10)
    assert plan(k_step=12) == (12, "unipc", 6) and plan(k_step=1) == (1, "unipc", 1)
    both.diffusion.model.k_step_max = 30
    assert plan() == (30, "unipc", 10)
    with pytest.raises(ConvertError, match="cannot begin with noise"):
        both.convert(tone(), 16000, "a", only_diffusion=True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"encoder": "vec256l9"}, r"hears through vec256l9 \(6 values\), the voice through lesson \(6\)"),
        ({"encoder_out_channels": 8}, r"hears through lesson \(8 values\), the voice through lesson \(6\)"),
        ({"block_size": 128}, r"frames of 128 samples, the voice 16000 Hz and 160"),
        ({"sampling_rate": 44100}, r"has 44100 Hz and .*, the voice 16000 Hz"),
    ],
)
def test_models_that_do_not_belong_together_are_refused(data, said):
    with pytest.raises(ConvertError, match=said):
        converter(data=data)


def test_the_exported_encoder_is_the_same_encoder():
    for name in ("vec768l12", "vec768l12-onnx"):
        Converter(
            StandInModel(), config(speech_encoder="vec768l12"), StandInEncoder(), "cpu",
            diffusion=second(data={"encoder": name}),
        )  # fmt: skip


# Real networks


class Listener(StandInEncoder):
    """Gives the loudness of what it hears, too."""

    def units(self, wav16k):
        return super().units(wav16k) + 10 * np.abs(wav16k).mean()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A small voice, a small diffusion model, a small vocoder beside it."""
    folder, dims = tmp_path_factory.mktemp("models"), dict(n_layers=2, n_chans=16, n_hidden=8)
    torch.manual_seed(0)
    tree = settings(hop=64, model=dims, vocoder={"ckpt": "vocoder.safetensors"})
    checkpoint.save_vocoder(folder / "vocoder.safetensors", checkpoint.new_vocoder(VOCODER))
    model = Unit2Mel(tree, mels=VOCODER.num_mels)
    torch.nn.init.normal_(model.decoder.denoise_fn.output_projection.weight, std=0.1)
    checkpoint.save_original_diffusion(folder / "model_8.pt", model)
    tree.save(folder / "config.yaml")
    checkpoint.save_diffusion(folder / "diffusion.safetensors", model, tree)
    small = dict(inter_channels=16, hidden_channels=16, filter_channels=32, n_layers=1, upsample_initial_channel=16)
    voice = config(hop=64, **small, upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16], sampling_rate=16000)
    checkpoint.save_sovits(folder / "voice.safetensors", Sovits(voice), voice)
    return folder


@pytest.fixture
def load(files, monkeypatch):
    monkeypatch.setattr(convert_module.encoders, "get", lambda name, path, device: Listener())
    return lambda model=None, **more: Converter.load(
        None if model is None else files / model, device="cpu", **{name: files / file for name, file in more.items()}
    )


def sing(converter, **options):
    options = {"speaker": "a", "f0_predictor": lambda wav: predictor(wav, 64)} | options
    return converter.convert(tone(1.0), 16000, **options).audio


@pytest.mark.parametrize("model", ["diffusion.safetensors", "model_8.pt"])
def test_files_sing(load, model):
    wavs = [
        sing(load("voice.safetensors", enhancer="vocoder.safetensors")),
        sing(load("voice.safetensors", enhancer="vocoder.safetensors"), enhancer_key=5),
        sing(both := load("voice.safetensors", diffusion=model)),
        sing(both, k_step=300),
        sing(both, k_step=300, second_encoding=True),
        sing(both, k_step=300, sampler="ddim"),
        sing(both, k_step=300, sampler="ddpm"),
        sing(lone := load(diffusion=model)),
        sing(lone, speaker="b"),
        sing(lone, seed=1),
        sing(load("voice.safetensors")),
    ]
    assert all(len(wav) == 16000 and np.isfinite(wav).all() and wav.any() for wav in wavs)
    assert all(not np.array_equal(a, b) for i, a in enumerate(wavs) for b in wavs[:i])
    half = sing(lone, half_diffusion=True)
    assert not np.array_equal(half, wavs[7]) and np.abs(half - wavs[7]).max() < 0.05 * np.abs(wavs[7]).max()
    assert np.array_equal(sing(both, only_diffusion=True), wavs[7]) and np.array_equal(sing(lone), wavs[7])


@pytest.mark.parametrize("voice", [None, "voice.safetensors"])
def test_a_mix_runs_through_diffusion(load, voice):
    """The original fails here: it adds a mix (H, T) to a condition (T, H)."""
    converter = load(voice, diffusion="diffusion.safetensors")
    pure, other = sing(converter, speaker="a"), sing(converter, speaker="b")
    close(sing(converter, speaker=None, mix=[1, 0]), pure, atol=1e-4)
    half = sing(converter, speaker=None, mix={"a": 1, "b": 1})
    moving = sing(converter, speaker=None, mix=Timeline({0: [[0, 1, 1, 0]], 1: [[0, 1, 0, 1]]}))
    assert not np.allclose(half, pure, atol=1e-4) and not np.allclose(moving, half, atol=1e-4)
    early, late = slice(1000, 4000), slice(12000, 15000)
    apart = lambda a, b, where: np.abs(a[where] - b[where]).mean()
    assert apart(moving, pure, early) < apart(moving, other, early)
    assert apart(moving, other, late) < apart(moving, pure, late)


def test_the_vocoder_is_looked_for(files, tmp_path, monkeypatch):
    monkeypatch.setenv("SVCNB_HOME", str(tmp_path))
    tree = settings(hop=64, vocoder={"ckpt": "vocoder.safetensors"})
    assert find_vocoder(tree, beside=files).hop == find_vocoder(tree, files / "vocoder.safetensors").hop == 64
    with pytest.raises(ConfigError, match=r"There is no vocoder at vocoder\.safetensors; name a folder"):
        find_vocoder(tree)
    with pytest.raises(
        ConfigError, match=r"has 16000 Hz and frames of 64 samples, but the config says 16000 Hz and 160"
    ):
        find_vocoder(settings(vocoder={"ckpt": "vocoder.safetensors"}), beside=files)
    with pytest.raises(ConvertError, match=r"makes mels of 4 bands, but the vocoder sings from 128"):
        SecondVoice(StandInDiffusion(), settings(), checkpoint.load_vocoder(lesson.vocoder_path()))
