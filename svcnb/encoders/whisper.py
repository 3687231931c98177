"""Whisper: units from the encoder of OpenAI's speech recogniser (`whisper-ppg`, `-large`, `-base`).

Whisper always hears 30 seconds: shorter sound is padded with silence, longer sound goes through in windows. (The
original cuts longer sound off and stretches what is left over the whole clip.) Its units tell where in the 30 seconds
a sound is as well as what it is: the same clip begun 4 s later has units that correlate by only about a half.

Notebook: 02_features
"""

import functools
import re
from pathlib import Path
from typing import Any

import librosa
import torch
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from svcnb.encoders.base import HOP, RATE, Encoder, EncoderError, build, tensors
from svcnb.quick import quicken
from svcnb.unpickle import read_torch

SECONDS, N_FFT, STEP, N_MELS = 30, 400, 160, 80

KEYS = [  # OpenAI's names → transformers'
    (r"^positional_embedding$", "embed_positions.weight"),
    (r"^blocks\.", "layers."),
    (r"\.attn\.query\.", ".self_attn.q_proj."),
    (r"\.attn\.key\.", ".self_attn.k_proj."),
    (r"\.attn\.value\.", ".self_attn.v_proj."),
    (r"\.attn\.out\.", ".self_attn.out_proj."),
    (r"\.attn_ln\.", ".self_attn_layer_norm."),
    (r"\.mlp\.0\.", ".fc1."),
    (r"\.mlp\.2\.", ".fc2."),
    (r"\.mlp_ln\.", ".final_layer_norm."),
    (r"^ln_post\.", "layer_norm."),
]


class Whisper(Encoder):
    """The encoder half of a Whisper model."""

    overhang = 0
    batch_frames = 6000

    def __init__(self, network: WhisperEncoder, device: str = "auto"):
        super().__init__(network.config.d_model, device)
        self.network = quicken(network.to(self.device))

    def encode(self, wavs: list[torch.Tensor], survey: Any = None) -> list[torch.Tensor]:
        with torch.autocast(self.device.type, enabled=False):  # quiet bands would vanish in half precision
            mels = torch.stack([log_mel(wav) for wav in wavs])
        hidden = self.network(mels).last_hidden_state
        return [units[: self.frames(len(wav))] for units, wav in zip(hidden, wavs, strict=True)]


def load(path: str | Path, device: str = "auto") -> Whisper:
    """Read a Whisper checkpoint of OpenAI, with or without its decoder. Raises EncoderError, CheckpointError."""
    checkpoint = read_torch(path)
    try:
        dims, state = checkpoint["dims"], tensors(checkpoint["model_state_dict"], path, "Whisper")
        config = _config(dims)
    except (KeyError, TypeError):
        raise EncoderError(f"{path} is not a Whisper checkpoint: its `dims` are not as OpenAI writes them.") from None
    if dims["n_mels"] != N_MELS or dims["n_audio_ctx"] != SECONDS * RATE // HOP:
        raise EncoderError(
            f"{path} hears {dims['n_mels']} mel bands and {dims['n_audio_ctx']} frames; use a Whisper model with 80 "
            "bands and 1500 frames, one from before large-v3."
        )
    weights = {_rename(key[8:]): value for key, value in state.items() if key.startswith("encoder.")}
    return Whisper(build(lambda: WhisperEncoder(config), weights, path), device)


def log_mel(wav: torch.Tensor) -> torch.Tensor:
    """Whisper's log mel spectrogram (80, 3000) of a sound (N,) at 16 kHz, padded or cut to 30 s."""
    wav = thirty_seconds(wav)
    window = torch.hann_window(N_FFT, device=wav.device)
    return loudness(torch.stft(wav, N_FFT, STEP, window=window, return_complex=True)[:, :-1].abs() ** 2)


def thirty_seconds(wav: torch.Tensor) -> torch.Tensor:
    """A sound (N,) padded with silence, or cut."""
    return torch.cat([wav, wav.new_zeros(SECONDS * RATE)])[: SECONDS * RATE]


def loudness(power: torch.Tensor) -> torch.Tensor:
    """A power spectrogram (201, T) in Whisper's mel bands (80, T), logarithmic, 80 dB deep."""
    mel = (_filters().to(power.device) @ power).clamp(min=1e-10).log10()
    return (mel.maximum(mel.max() - 8) + 4) / 4


@functools.cache
def _filters() -> torch.Tensor:
    return torch.from_numpy(librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=N_MELS))


def _config(dims: dict) -> WhisperConfig:
    return WhisperConfig(
        num_mel_bins=dims["n_mels"],
        max_source_positions=dims["n_audio_ctx"],
        d_model=dims["n_audio_state"],
        encoder_attention_heads=dims["n_audio_head"],
        encoder_layers=dims["n_audio_layer"],
        encoder_ffn_dim=4 * dims["n_audio_state"],
    )


def _rename(key: str) -> str:
    for pattern, name in KEYS:
        key = re.sub(pattern, name, key)
    return key
