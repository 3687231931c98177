import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from svcnb.config import Config, DataConfig
from svcnb.spectral import band_power, spec_to_mel, spectrogram, training_mel, vocoder_mel

VOCODER = dict(sample_rate=44100, n_fft=2048, hop=512, win=2048, n_mels=128, fmin=40, fmax=16000)
SMALL = dict(sample_rate=16000, n_fft=256, hop=64, win=256, n_mels=32, fmin=0, fmax=8000)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.1


def close(actual, expected, atol):
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-5, atol=atol)


def wave(data):
    return torch.from_numpy(data["audio"].astype(np.float32) / 32768)[None]


def test_spectrogram_and_mel_equal_the_original(golden):
    data = np.load(golden("features/spectrogram.npz"))
    y = wave(data)
    cases = {
        "default": (y, (2048, 512, 2048), (44100, 2048, 80, 0, 22050)),
        "small": (y[:, 3000:4600], (256, 64, 256), (16000, 256, 20, 0, 8000)),
        "odd": (y[:, 3000:4600], (512, 128, 400), (22050, 512, 40, 30, 8000)),
    }
    for name, (wav, stft, mel) in cases.items():
        spec = spectrogram(wav, *stft)
        close(spec[:, :: 4 if name == "default" else 1], data[f"spec_{name}"], 1e-4)
        close(spec_to_mel(spec, *mel), data[f"mel_{name}"], 1e-4)


def test_training_mel_equals_the_original(golden):
    data = load_file(golden("sovits/mel_training_44k.safetensors"))
    y = torch.from_numpy(data["y"])
    close(spectrogram(y, 2048, 512, 2048), data["spec"], 1e-5)
    close(training_mel(y, Config.preset("full").data), data["mel"], 1e-5)


@pytest.mark.parametrize("semitones", ["0", "3", "-4.25", "5"])
def test_vocoder_mel_equals_the_original_in_every_key(golden, semitones):
    data = np.load(golden("features/vocoder_mel.npz"))
    close(vocoder_mel(wave(data), **VOCODER, semitones=float(semitones)), data[f"mel_{semitones}"], 1e-3)


def test_vocoder_mel_of_short_sounds_equals_the_original(golden):
    data = np.load(golden("features/vocoder_mel.npz"))
    y = wave(data)
    close(vocoder_mel(y[:, :1000], **SMALL), data["mel_small"], 1e-3)
    close(vocoder_mel(y[:, 2000:2150], **SMALL), data["mel_short"], 1e-3)


def test_vocoder_mel_in_every_key_speed_and_length_equals_the_original(golden):
    data = load_file(golden("vocoders/stft_get_mel.safetensors"))
    y = torch.from_numpy(data.pop("y"))
    for name, expected in data.items():
        words = name.split("_")
        options = {word: float(value) for word, value in zip(words[::2], words[1::2], strict=True)}
        short = options.pop("short", None)
        mel = vocoder_mel(
            y if short is None else y[:1, : int(short)],
            **VOCODER,
            semitones=options.get("keyshift", 0.0),
            speed=options.get("speed", 1.0),
        )
        close(mel, expected, 1e-4)


@pytest.mark.parametrize("length", [769, 1000, 5119, 5120, 5121])
def test_a_spectrogram_has_one_frame_per_hop(length):
    assert spectrogram(noise(2, length), 2048, 512, 2048).shape == (2, 1025, length // 512)


def test_too_short_a_sound_is_refused_by_length():
    with pytest.raises(ValueError, match="more than 768 samples of sound, not 768"):
        spectrogram(noise(1, 768), 2048, 512, 2048)


def test_both_mels_can_be_differentiated_even_after_use_in_inference_mode():
    data = DataConfig(filter_length=254, hop_length=62, win_length=254, n_mel_channels=11)  # cached by nobody else
    settings = SMALL | dict(n_fft=254, hop=62, win=254, n_mels=11)
    with torch.inference_mode():
        training_mel(noise(1, 800), data), vocoder_mel(noise(1, 800), **settings)
    for mel in (lambda y: training_mel(y, data), lambda y: vocoder_mel(y, **settings, semitones=2)):
        wav = noise(1, 800).requires_grad_()
        mel(wav).sum().backward()
        assert wav.grad.isfinite().all() and wav.grad.abs().max() > 0


def test_configurations_that_share_the_highest_frequency_do_not_share_a_filter_bank():
    spec = spectrogram(noise(1, 4000), 512, 128, 512)
    a = spec_to_mel(spec, 16000, 512, 20, 0, 8000)
    b = spec_to_mel(spec, 16000, 512, 20, 100, 8000)
    c = spec_to_mel(spec, 22050, 512, 20, 0, 8000)
    assert (a - b).abs().max() > 0.1 and (a - c).abs().max() > 0.1


def test_half_precision_is_computed_in_full_and_returned_as_half():
    data = Config.preset("full").data
    wav = noise(1, 8000).bfloat16()
    assert spectrogram(wav, 2048, 512, 2048).dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mel = training_mel(wav.float(), data)
    assert mel.dtype == torch.float32 and torch.equal(mel, training_mel(wav.float(), data))


def test_silence_lies_at_the_floor():
    mel = vocoder_mel(torch.zeros(1, 4096), **VOCODER)
    assert (mel >= np.log(1e-5) - 1e-4).all() and (mel < -5).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_what_the_processor_gives():
    wav = noise(2, 20000)
    for mel in (lambda y: training_mel(y, Config.preset("full").data), lambda y: vocoder_mel(y, **VOCODER)):
        torch.testing.assert_close(mel(wav.cuda()).cpu(), mel(wav), atol=1e-3, rtol=1e-3)


def test_band_power_adds_up_to_the_mean_square():
    t = torch.arange(44100) / 44100
    tone = 0.5 * torch.sin(2 * torch.pi * 1000 * t)[None]
    bands = band_power(tone, 44100, 1024, 512, 24)[..., 2:-2]
    assert bands.sum(1).mean().item() == pytest.approx(0.125, rel=0.02)
    assert bands.mean(-1).argmax().item() in (5, 6)  # where 1000 Hz lies
    hiss = torch.randn(1, 44100, generator=torch.Generator().manual_seed(0))
    assert band_power(hiss, 44100, 1024, 512, 24).sum(1).mean().item() == pytest.approx(1, rel=0.1)  # the ends are lost
