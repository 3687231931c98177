"""Words: what the lesson encoder and Whisper hear, and how far two readings are apart."""

import re

import numpy as np
import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from svcnb.encoders import EncoderError, whisper
from svcnb.evaluate import compare
from svcnb.evaluate import whisper as writer
from svcnb.evaluate.whisper import END, NO_TIMES, START, TRANSCRIBE, changes, transcribe

OPENAI = [  # transformers' names → OpenAI's
    (r"^model\.", ""), (r"\.layers\.", ".blocks."), (r"encoder_attn_layer_norm", "cross_attn_ln"),
    (r"self_attn_layer_norm", "attn_ln"), (r"final_layer_norm", "mlp_ln"), (r"decoder\.layer_norm", "decoder.ln"),
    (r"encoder\.layer_norm", "encoder.ln_post"), (r"embed_tokens", "token_embedding"),
    (r"embed_positions\.weight", "positional_embedding"), (r"encoder_attn\.", "cross_attn."), (r"self_attn\.", "attn."),
    (r"q_proj", "query"), (r"k_proj", "key"), (r"v_proj", "value"), (r"out_proj", "out"), (r"fc1", "mlp.0"),
    (r"fc2", "mlp.2"),
]  # fmt: skip


def openai_name(key):
    for pattern, name in OPENAI:
        key = re.sub(pattern, name, key)
    return key


@pytest.fixture(scope="module")
def model():
    sizes = dict(d_model=16, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2)
    config = WhisperConfig(vocab_size=51865, encoder_ffn_dim=64, decoder_ffn_dim=64, **sizes)
    torch.manual_seed(3)
    model = WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.randn_like(parameter))  # so that the sound and every token count
    return model


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    dims = dict(n_mels=80, n_audio_ctx=1500, n_audio_state=16, n_audio_head=2, n_audio_layer=1, n_vocab=51865,
                n_text_ctx=448, n_text_state=16, n_text_head=2, n_text_layer=2)  # fmt: skip
    state = {openai_name(key): value for key, value in model.state_dict().items() if key != "proj_out.weight"}
    path = tmp_path_factory.mktemp("whisper") / "tiny.pt"
    torch.save({"dims": dims, "model_state_dict": state}, path)
    return path


@pytest.fixture(autouse=True)
def few_words(monkeypatch):
    monkeypatch.setattr(writer, "MOST", 12)


def sound(seconds, seed=0):
    return 0.1 * np.random.default_rng(seed).standard_normal(round(16000 * seconds)).astype(np.float32)


def expected(model, wav, count):
    """Greedy tokens, every time from the beginning."""
    mel = whisper.log_mel(torch.from_numpy(wav))[None]
    score = lambda tokens: model(input_features=mel, decoder_input_ids=torch.tensor([tokens])).logits[0, -1]
    with torch.no_grad():
        prompt = [START, 50259 + int(score([START])[50259:50358].argmax()), TRANSCRIBE, NO_TIMES]
        for _ in range(count):
            prompt.append(int(score(prompt)[: END + 1].argmax()))
    return prompt[4:]


def test_whisper_writes_what_transformers_writes(model, path):
    wav = sound(2)
    said = transcribe(wav, path)
    assert said[:6] == expected(model, wav, 6) and len(set(said[:6])) > 1
    assert len(said) <= 12 and END not in said


def test_long_sound_is_heard_to_its_end(path):
    wav = sound(31)
    assert transcribe(wav, path) == transcribe(wav[:480000], path) + transcribe(wav[480000:], path)


def test_the_text_ends_where_whisper_ends_it(path, monkeypatch):
    written = iter([7, 8, END, 9])

    def scores(decoder, hidden, tokens, past=None):
        return torch.nn.functional.one_hot(torch.tensor(next(written) if tokens != [START] else 50260), 51865), past

    monkeypatch.setattr(writer, "_scores", scores)
    assert transcribe(sound(1), path) == [7, 8]


def test_changes_are_counted():
    assert changes([], []) == 0 and changes([1, 2, 3], [1, 2, 3]) == 0
    assert changes([], [1, 2]) == 2 and changes([1, 2, 3], [1, 3]) == 1 and changes([1, 9, 3], [1, 2, 3]) == 1
    assert changes(list(b"kitten"), list(b"sitting")) == 3


def test_word_error_is_of_the_source(path):
    wav, other = sound(2), sound(2, 1)
    same = compare(wav, source=wav, sample_rate=16000, f0="pm", whisper=path)
    assert same.word_error == 0
    differing = compare(other, source=wav, sample_rate=16000, f0="pm", whisper=path)
    said, meant = transcribe(other, path), transcribe(wav, path)
    assert differing.word_error == pytest.approx(changes(said, meant) / len(meant), abs=0.2)  # 16 to 44.1 kHz and back
    assert compare(wav, wav, sample_rate=16000, f0="pm").word_error is None


def test_an_encoder_alone_writes_nothing(path, tmp_path):
    checkpoint = torch.load(path, weights_only=True)
    state = checkpoint["model_state_dict"]
    checkpoint["model_state_dict"] = {key: value for key, value in state.items() if key.startswith("encoder.")}
    torch.save(checkpoint, tmp_path / "encoder.pt")
    with pytest.raises(EncoderError, match="writes no words of many languages; use a whole Whisper file"):
        transcribe(sound(1), tmp_path / "encoder.pt")
