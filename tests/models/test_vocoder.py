"""The mel vocoder against the original's, from files in its format: its keys, its mels, its sound."""

import json
import shutil
from functools import partial

import pytest
import torch
from safetensors.torch import load_file

from svcnb.checkpoint import CheckpointError, load_vocoder
from svcnb.config import VocoderConfig
from svcnb.models.norms import fold_weight_norm
from svcnb.models.nsf_hifigan import SineSource
from svcnb.models.vocoder import Vocoder

from .conftest import close, fill, zero_noise


@pytest.fixture(scope="module")
def voice(golden):
    return lambda name: load_file(golden(f"vocoders/{name}.safetensors"))


@pytest.fixture
def folder(golden):
    return golden("vocoders/tiny_nsf_hifigan")


@pytest.fixture
def tiny(folder):
    return load_vocoder(folder)


@pytest.fixture
def full_config(golden):
    return VocoderConfig.load(golden("vocoders/full_config.json"))


@pytest.mark.parametrize("folded", [False, True])
def test_keys_are_those_of_the_original_in_order(golden, full_config, folded):
    stored = json.loads(golden(f"layouts/nsf_hifigan_44k{'_folded' if folded else ''}.json").read_text())
    model = Vocoder(full_config, analyse=None)
    if folded:
        fold_weight_norm(model)
    shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    assert shapes == {key: tuple(entry["shape"]) for key, entry in stored["keys"].items()}
    assert next(k for k in shapes if "source" not in k) == "noise_convs.0.weight"
    assert sum(p.numel() for p in model.parameters()) == stored["_parameters"]


@pytest.mark.parametrize("folded", [False, True])
@torch.inference_mode()
def test_sound_is_the_original_s(voice, tiny, folded):
    g = voice("mel_vocoder_tiny")
    model = fold_weight_norm(tiny) if folded else tiny
    close(model(g["mel"].mT, g["f0"], torch.Generator().manual_seed(1100)), g["audio"])
    with zero_noise():
        close(model(g["mel"].mT, g["f0"]), g["audio_zero_noise_folded" if folded else "audio_zero_noise"])


@torch.inference_mode()
def test_sound_of_the_full_size_is_the_original_s(voice, full_config):
    g, model = voice("mel_vocoder_full_size"), fold_weight_norm(fill(Vocoder(full_config, analyse=None)))
    close(model(g["mel"].mT, g["f0"], torch.Generator().manual_seed(1105)), g["audio"])
    with zero_noise():
        close(model(g["mel"].mT, g["f0"]), g["audio_zero_noise"])


def test_the_sine_source_runs_off_in_the_first_frame_as_the_original_s_does(voice):
    g, source = voice("mel_vocoder_sine_source"), SineSource(44100, smear=True)
    sines = lambda f0, generator=None: source.sines(f0, 512, *source.draw(f0, 512, generator))
    close(sines(g["f0"], torch.Generator().manual_seed(1103))[:, ::7], g["sine"])
    with zero_noise():
        close(sines(g["f0"])[:, ::7], g["sine_zero_noise"], atol=1e-6)
        close(sines(g["long.f0"])[:, ::997], g["long.sine_zero_noise_every_997"], atol=1e-6)


@torch.inference_mode()
def test_what_diffusion_hears_and_says(voice, folder, tiny):
    g = voice("vocoder_wrapper")
    assert (tiny.sampling_rate, tiny.hop, tiny.n_mels) == (16000, 64, 20)
    close(tiny.mel(g["y"], 16000), g["mel"], atol=1e-4)
    close(tiny.mel(g["y"], 16000, semitones=4), g["mel_keyshift_4"], atol=1e-4)
    close(tiny.mel(g["y"], 22050), g["mel_from_other_rate"], atol=1e-4)
    close(tiny(g["mel"], g["f0"], torch.Generator().manual_seed(1109)), g["audio"])
    with zero_noise():
        close(tiny(g["mel"], g["f0"]), g["audio_zero_noise"])
        close(load_vocoder(folder, log10=True)(g["mel"], g["f0"]), g["audio_log10_zero_noise"])


@torch.inference_mode()
def test_a_folder_with_folded_weights_opens(folder, tiny, tmp_path):
    torch.save({"generator": fold_weight_norm(load_vocoder(folder)).state_dict()}, tmp_path / "model")
    shutil.copy(folder / "config.json", tmp_path)
    mel, f0 = torch.randn(1, 5, 20), torch.full((1, 5), 200.0)
    with zero_noise():
        close(load_vocoder(tmp_path)(mel, f0), tiny(mel, f0), atol=1e-6)


def test_what_does_not_fit_is_said(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text())
    shutil.copyfile(folder / "model", tmp_path / "model")
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        load_vocoder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_mels": 21}))
    with pytest.raises(CheckpointError, match=r"conv_pre.weight_v of .* is 32×20×7 .* 32×21×7 .*num_mels"):
        load_vocoder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"hop_size": 63}))
    with pytest.raises(CheckpointError, match="multiply to 64, but hop_size is 63"):
        load_vocoder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    torch.save({"model": {}}, tmp_path / "model")
    with pytest.raises(CheckpointError, match="no part called 'generator'"):
        load_vocoder(tmp_path)


def test_too_little_pitch_is_refused(tiny):
    with pytest.raises(ValueError, match="4 frames, but the mel has 5"):
        tiny(torch.zeros(1, 5, 20), torch.zeros(1, 4))


def test_a_vocoder_can_be_sent_to_another_process(tiny):
    import pickle

    assert isinstance(tiny.analyse, partial)
    pickle.dumps(tiny.state_dict()), pickle.dumps(tiny.analyse)
