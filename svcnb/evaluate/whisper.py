"""Words, as Whisper hears them: OpenAI's recogniser writes a recording down, the likeliest token each time.

Notebook: 05_infer
"""

import re
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperDecoder

from svcnb.encoders import EncoderError
from svcnb.encoders import whisper as ear
from svcnb.encoders.base import RATE, build
from svcnb.unpickle import read_torch

VOCABULARY = 51865  # tokens of the models of many languages
END, START, TRANSCRIBE, NO_TIMES = 50257, 50258, 50359, 50363  # tokens; all below END are text
LANGUAGES = slice(50259, 50358)
MOST = 220  # tokens of 30 seconds
PIECE = ear.SECONDS * RATE
KEYS = [  # OpenAI's names in the decoder → transformers', before those that the encoder has, too
    (r"^token_embedding\.", "embed_tokens."),
    (r"^ln\.", "layer_norm."),
    (r"\.cross_attn_ln\.", ".encoder_attn_layer_norm."),
    (r"\.cross_attn\.query\.", ".encoder_attn.q_proj."),
    (r"\.cross_attn\.key\.", ".encoder_attn.k_proj."),
    (r"\.cross_attn\.value\.", ".encoder_attn.v_proj."),
    (r"\.cross_attn\.out\.", ".encoder_attn.out_proj."),
    *ear.KEYS,
]


@torch.no_grad()
def transcribe(wav16k: np.ndarray, path: str | Path) -> list[int]:
    """Tokens of the words in a sound (N,) at 16 kHz, by the model in OpenAI's file; heard in pieces of 30 seconds.

    Raises EncoderError for a file that is no Whisper model of many languages, CheckpointError for one that cannot be
    read.
    """
    encoder, decoder = _load(str(path))
    pieces = torch.as_tensor(wav16k).float().split(PIECE)
    heard = [encoder.network(ear.log_mel(piece)[None]).last_hidden_state for piece in pieces]
    return [token for hidden in heard for token in _write(decoder, hidden)]


def changes(said: Sequence[int], meant: Sequence[int]) -> int:
    """How many tokens must be put in, taken out or replaced to make one of the other (Levenshtein 1966)."""
    row = list(range(len(meant) + 1))
    for i, token in enumerate(said, 1):
        before, row = row, [i]
        for j, other in enumerate(meant, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (token != other)))
    return row[-1]


def _write(decoder: WhisperDecoder, hidden: torch.Tensor) -> list[int]:
    """The tokens of one piece, in the language that is likeliest."""
    language = LANGUAGES.start + int(_scores(decoder, hidden, [START])[0][LANGUAGES].argmax())
    tokens, past, new = [], None, [START, language, TRANSCRIBE, NO_TIMES]
    while len(tokens) < MOST:
        scores, past = _scores(decoder, hidden, new, past)
        new = [int(scores[: END + 1].argmax())]
        if new == [END]:
            break
        tokens += new
    return tokens


def _scores(decoder: WhisperDecoder, hidden: torch.Tensor, tokens: list[int], past=None) -> tuple:
    """How likely each token is as the next one, and what need not be computed again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the cache gets another name some day
        out = decoder(torch.tensor([tokens]), encoder_hidden_states=hidden, past_key_values=past, use_cache=True)
    return decoder.embed_tokens.weight @ out.last_hidden_state[0, -1], out.past_key_values


@lru_cache(maxsize=1)
def _load(path: str) -> tuple:
    encoder = ear.load(path, "cpu")
    checkpoint = read_torch(path)
    dims, state = checkpoint["dims"], checkpoint["model_state_dict"]
    weights = {_rename(key[8:]): value for key, value in state.items() if key.startswith("decoder.")}
    if not weights or dims.get("n_vocab") != VOCABULARY:
        raise EncoderError(f"{path} writes no words of many languages; use a whole Whisper file without `.en`.")
    config = WhisperConfig(
        vocab_size=VOCABULARY,
        d_model=dims["n_text_state"],
        decoder_layers=dims["n_text_layer"],
        decoder_attention_heads=dims["n_text_head"],
        decoder_ffn_dim=4 * dims["n_text_state"],
        max_target_positions=dims["n_text_ctx"],
    )
    return encoder, build(lambda: WhisperDecoder(config), weights, path)


def _rename(key: str) -> str:
    for pattern, name in KEYS:
        key = re.sub(pattern, name, key)
    return key
