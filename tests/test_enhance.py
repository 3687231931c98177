"""The enhancer against the original's: what its vocoder is given, and what comes out."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from svcnb.checkpoint import load_vocoder
from svcnb.enhance import enhance

from .models.conftest import close, zero_noise


class StandInVocoder:
    """The vocoder of the golden cases: half of the sound, and the pitch over it. It keeps what it was given."""

    sampling_rate, hop = 2000, 50

    def mel(self, sound, rate):
        assert rate == self.sampling_rate  # at whatever rate it is
        return sound

    def __call__(self, sound, f0, generator):
        self.sound, self.f0 = sound, f0
        length = min(sound.shape[1], f0.shape[1] * self.hop)
        return (0.5 * sound[:, :length] + 0.001 * f0.repeat_interleave(self.hop, 1)[:, :length])[:, None]


def without_front(audio, f0, rate, hop, seconds):
    """What is left when some of the front is skipped, and how many samples that were."""
    frames = int(seconds * rate / hop)
    cut = round(frames * hop / rate * rate)
    return audio[:, cut:], f0[:, frames:, 0], frames * hop / rate


def test_the_vocoder_hears_what_the_original_s_heard(golden):
    g = load_file(golden("inference/enhancer.safetensors"))
    for case in json.loads(golden("inference/enhancer.json").read_text()):
        get = lambda part, name=case["name"]: g[f"{name}.{part}"]
        rate, hop = case["sample_rate"], case["hop_size"]
        audio, f0, silence = without_front(get("audio"), get("f0"), rate, hop, case["silence_front"])
        vocoder, before = StandInVocoder(), f0.clone()
        out = enhance(vocoder, audio, rate, f0, hop, case["adaptive_key"])
        close(vocoder.sound, get("vocoder_audio"), atol=1e-4)
        close(vocoder.f0, get("vocoder_f0"))
        close(out[0], get("out")[round(2000 * silence) :], atol=1e-4)
        assert torch.equal(f0, before)  # the original overwrites it


def test_singing_again(golden):
    path = golden("vocoders/enhancer.safetensors")
    with safe_open(path, "pt") as file:
        cases = json.loads(file.metadata()["cases"])
    g, vocoder = load_file(path), load_vocoder(golden("vocoders/tiny_nsf_hifigan"))
    for case in cases:
        get = lambda part, number=case["case"]: g[f"{number}.{part}"]
        rate, hop = case["sample_rate"], case["hop_size"]
        audio, f0, silence = without_front(get("audio_in"), get("f0"), rate, hop, case["silence_front"])
        with zero_noise():
            out = enhance(vocoder, audio, rate, f0, hop, case["adaptive_key"])
        close(out[0], get("out_zero_noise")[round(16000 * silence) :], atol=1e-4)


@pytest.mark.parametrize("key", [0, 5])
def test_noise_comes_from_the_generator(golden, key):
    vocoder = load_vocoder(golden("vocoders/tiny_nsf_hifigan"))
    sound, f0 = torch.sin(torch.arange(6400) * 0.1)[None], torch.full((1, 100), 250.0)
    seeded = lambda seed: enhance(vocoder, sound, 16000, f0, 64, key, torch.Generator().manual_seed(seed))
    assert torch.equal(seeded(1), seeded(1)) and not torch.equal(seeded(1), seeded(2))
