import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from safetensors.numpy import load_file, save_file

from svcnb import audio
from svcnb import convert as convert_module
from svcnb.audio import AudioError, hush
from svcnb.checkpoint import save_sovits
from svcnb.config import Config
from svcnb.convert import Converter, ConvertError, Options
from svcnb.encoders import Encoder
from svcnb.f0 import F0
from svcnb.job import shift_frames
from svcnb.mixing import MixError, Timeline
from svcnb.models.sovits import Sovits
from svcnb.retrieval import Clusters, RetrievalError
from svcnb.retrieval import load as load_retrieval
from tests.test_slicer import sound

SPEAKERS = ["a", "b"]


def config(sample_rate=16000, hop=160, speakers=SPEAKERS, **model):
    tree = Config.preset("lesson", "lesson", speakers)
    tree = tree.copy_with(data={"sampling_rate": sample_rate, "hop_length": hop, "unit_interpolate_mode": "nearest"})
    return tree.copy_with(model={"ssl_dim": 6, "use_automatic_f0_prediction": True, **model})


class StandInEncoder(Encoder):
    """The encoder of the golden wiring: frame numbers in sines."""

    name, window = "stand-in", 10**9

    def __init__(self):
        super().__init__(6, "cpu")

    def encode(self, wavs, survey=None):
        return [self.sines(self.frames(len(wav))) for wav in wavs]

    def sines(self, frames):
        return torch.stack([torch.sin(0.1 * (k + 1) * torch.arange(frames)) for k in range(6)], 1)


class StandInModel(torch.nn.Module):
    """The voice of the golden wiring: a fixed sine, so many samples per frame. It keeps what it was given."""

    def __init__(self, hop=160):
        super().__init__()
        self.hop, self.calls = hop, []

    def infer(self, units, f0, uv, **given):
        self.calls.append(SimpleNamespace(units=units, f0=f0, uv=uv, **given))
        sound = 0.3 * torch.sin(0.01 * torch.arange(f0.shape[1] * self.hop))
        return sound[None, None], f0 * 1.5 if given["auto_f0"] else f0


def predictor(wav, hop=160):
    """The pitch of the golden wiring, but with what is unvoiced as 0."""
    frame = np.arange(len(wav) // hop)
    voiced = frame >= 2
    return F0((200 + 50 * np.sin(0.2 * frame)) * voiced, voiced)


@pytest.fixture
def converter():
    return Converter(StandInModel(), config(), StandInEncoder(), "cpu")


def convert(converter, song, sample_rate=16000, speaker="a", **options):
    return converter.convert(song, sample_rate, speaker, f0_predictor=predictor, **options)


def tone(seconds=3.0, rate=16000):
    return (0.2 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


# The original's way through a song


class StandInConverter(Converter):
    """The golden stand-in for one call of the model: what comes in at half the level, plus the number of the call."""

    hear = None

    def __init__(self, case):
        super().__init__(StandInModel(), config(case["target_sample"], case["hop_size"]), StandInEncoder(), "cpu")
        self.extra, self.calls = case["stub"]["extra_out_samples"], []

    def sing(self, wav, sample_rate, speaker, options, f0=None):
        self.calls.append(len(wav))
        file = io.BytesIO()  # the original hands on each piece as a 16-bit file
        soundfile.write(file, wav, sample_rate, format="WAV")
        wav, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")
        n = round(len(wav) * self.sample_rate / sample_rate) + self.extra
        out = 0.5 * np.interp(np.arange(n) * sample_rate / self.sample_rate, np.arange(len(wav)), wav)
        frames = n // self.hop
        return (out + 0.001 * len(self.calls)).astype(np.float32), F0(np.zeros(frames), np.zeros(frames, bool))


NAMES = {"slice_db": "slice_db", "pad_seconds": "pad_seconds", "clip_seconds": "clip", "lg_num": "linear_gradient"}
NAMES |= {"lgr_num": "linear_gradient_retain", "noice_scale": "noise_scale", "auto_predict_f0": "auto_f0"}
AS_ORIGINAL = ["plain", "short_output_padded", "clip2_nolg", "clip2_lg.4_lgr.75", "clip2_lg.4_lgr1", "clip2_lg.4_lgr.5"]
AS_ORIGINAL += ["lg_without_clip", "pad.2"]


def golden_slices(golden, name):
    case = {c["name"]: c for c in json.loads(golden("inference/slice_inference.json").read_text())}[name]
    song, converter = sound(case["input_sr"], case["segments"]), StandInConverter(case)
    options = {ours: case["args"][theirs] for theirs, ours in NAMES.items()}
    ours = converter.convert(song, case["input_sr"], case["args"]["spk"], **options).audio
    assert len(ours) == int(len(song) * case["target_sample"] / case["input_sr"] + 0.5)
    theirs = load_file(golden("inference/slice_inference.safetensors"))[f"{name}.out"]
    return song, ours, theirs, converter.calls == [call["n_in"] for call in case["calls"]]


@pytest.mark.parametrize("name", AS_ORIGINAL)
def test_a_song_is_cut_padded_and_joined_as_by_the_original(golden, name):
    _, ours, theirs, same_calls = golden_slices(golden, name)
    assert same_calls and len(ours) == len(theirs)
    assert np.abs(ours - theirs).max() < 1e-5


@pytest.mark.parametrize("name", ["resample_up", "long_output_not_trimmed"])
def test_pieces_keep_their_place_where_the_original_drifts(golden, name):
    """The original rounds each piece up and leaves a long one long, so what follows comes late; ours stays in time."""
    _, ours, theirs, same_calls = golden_slices(golden, name)
    late = len(theirs) - len(ours)
    first = np.abs(ours[:5000] - theirs[:5000]).max()
    assert same_calls and late > 0 and first < 1e-5
    half = {"resample_up": 1, "long_output_not_trimmed": 31}[name]  # how late the second piece begins
    assert np.abs(ours[-5000:-late] - theirs[-5000 - late + half : -late - late + half]).max() < 1e-5


def test_no_padding_is_no_silence(golden):
    """The original's pad_seconds=0 gives pure silence; ours is what it gives with padding."""
    song, ours, theirs, _ = golden_slices(golden, "pad0_gives_silence")
    assert not theirs.any()
    second = np.arange(len(song)) >= 10480
    assert np.abs(ours - (0.5 * song + 0.001 + 0.001 * second)).max() < 2e-5


def test_crossfades_are_measured_at_the_rate_of_the_result(golden):
    """The original takes sizes in samples of the input for the output, and so loses time at every join."""
    song, ours, theirs, same_calls = golden_slices(golden, "clip2_lg.4_resample")
    assert same_calls and len(theirs) == 16347 and len(ours) == 16097
    right = 0.5 * np.interp(np.arange(len(ours)) * 2000 / 2205, np.arange(len(song)), song)
    assert np.abs(ours - right).max() < 0.02  # half a sample's time, and the numbers of the calls
    assert np.abs(theirs[: len(ours)] - right).max() > 0.2


@pytest.mark.parametrize(
    "mode, speaker, options, vol",
    [
        ("vits_only", "b", {"semitones": 3}, False),
        ("vits_vol", "b", {"auto_f0": True}, True),
        ("vits_rms", "b", {"loudness_envelope": 0.4}, False),
    ],
)
def test_the_networks_receive_what_the_original_gives_them(golden, mode, speaker, options, vol):
    expected = load_file(golden("inference/svc_infer_wiring.safetensors"))
    model = StandInModel()
    converter = Converter(model, config(vol_embedding=vol), StandInEncoder(), "cpu")
    wav = expected["wav16k_input"]
    options = Options(f0_predictor=predictor, **options)
    made, f0 = converter.sing(wav, 16000, converter.speaker_id(speaker), options)
    (call,) = model.calls
    filled = expected[f"{mode}.net_f0"].copy()  # the stand-in of the original leaves a pitch where there is no voice
    filled[0, :2] = filled[0, 2]
    assert np.abs(call.units.numpy() - expected[f"{mode}.net_c"]).max() < 1e-5
    assert np.abs(call.f0.numpy() - filled).max() < 1e-4 and np.array_equal(call.uv, expected[f"{mode}.net_uv"])
    assert call.speaker.tolist() == expected[f"{mode}.net_g"][0].tolist()
    assert (call.volume is not None) == vol
    if vol:
        assert np.abs(call.volume.numpy() - expected[f"{mode}.net_vol"]).max() < 1e-5
    assert np.abs(made - expected[f"{mode}.audio"]).max() < 1e-5
    assert np.allclose(f0.hz, filled[0] * f0.voiced * (1.5 if mode == "vits_vol" else 1), rtol=1e-5)


@pytest.mark.parametrize("mode, ratio", [("cluster_half", 0.5), ("cluster_half", None), ("retrieval_0.7", 0.7)])
def test_what_is_retrieved_is_blended_in_as_by_the_original(golden, tmp_path, mode, ratio):
    expected = load_file(golden("inference/svc_infer_wiring.safetensors"))
    if mode == "cluster_half":
        retrieval = Clusters({"b": expected["cluster_half.centers"]})
    else:
        table = expected["retrieval.vectors"]
        parts = {"units": table, "centroids": table.mean(0)[None], "cell": np.zeros(len(table), np.int32)}
        save_file({f"1.{name}": part for name, part in parts.items()}, tmp_path / "a.safetensors",
                  {"format": "1", "kind": "index"})  # fmt: skip
        retrieval = load_retrieval(tmp_path / "a.safetensors")
    model = StandInModel()
    converter = Converter(model, config(), StandInEncoder(), "cpu", retrieval)
    options = Options(f0_predictor=predictor, retrieval_ratio=ratio)
    made, _ = converter.sing(expected["wav16k_input"], 16000, 1, options)
    theirs = expected[f"{mode}.net_c"]
    assert np.isfinite(theirs).all() and np.abs(model.calls[0].units.numpy() - theirs).max() < 1e-5
    assert np.abs(made - expected[f"{mode}.audio"]).max() < 1e-5


def test_retrieval_is_asked_for_where_there_is_one(converter):
    with pytest.raises(ConvertError, match="load clusters or an index"):
        convert(converter, tone(), retrieval_ratio=0.5)
    converter.retrieval = Clusters({"b": np.zeros((2, 6))})
    with pytest.raises(ConvertError, match="for a mix it must be 0"):
        convert(converter, tone(), mix=[1, 1], retrieval_ratio=0.5)
    with pytest.raises(RetrievalError, match=r"speaker 'a', only for b\."):
        convert(converter, tone())
    convert(converter, tone(), mix=[1, 1])
    convert(converter, tone(), retrieval_ratio=0)


@pytest.mark.parametrize("name", ["const", "ramp", "multi", "uncovered", "all_zero", "clip"])
def test_a_mix_runs_along_the_song(golden, name):
    """As in the original, but in the time of the song: there it runs over the padding of the pieces, too."""
    cases = {case["name"]: case for case in json.loads(golden("inference/slice_inference.json").read_text())}
    case = cases[f"mix_{name}"]
    song, converter = sound(case["input_sr"], case["segments"]), StandInConverter(case)
    sung, sing = [], converter.sing
    converter.sing = lambda wav, rate, singer, *more: (sung.append(singer), sing(wav, rate, singer, *more))[1]
    options = {ours: case["args"][theirs] for theirs, ours in NAMES.items()}
    line = Timeline(case["args"]["spk"])
    conversion = converter.convert(song, case["input_sr"], mix=line, **options)
    theirs = load_file(golden("inference/slice_inference.safetensors"))[f"mix_{name}.out"]
    assert conversion.speaker is None and np.abs(conversion.audio - theirs).max() < 1e-5
    whole = line.weights(len(song) // 100)
    starts = [0, 105] if name != "clip" else [0, 32, 72, 112]
    for start, ours, call in zip(starts, sung, case["calls"], strict=True):
        assert ours.shape == (call["n_frames"], 2) and np.allclose(ours.sum(1), 1)
        if name in ("const", "all_zero"):
            assert np.abs(ours - call["sid_T_S"]).max() < 1e-6
        assert np.abs(ours[10:-10] - whole[start : start + len(ours) - 20]).max() < 0.02
    assert np.array_equal(sung[0][:10], np.repeat(whole[:1], 10, 0))  # the padding before the song


def test_a_mix_of_amounts_by_name(converter):
    conversion = convert(converter, tone(), speaker=None, mix={"a": 1, "b": 3})
    (call,) = converter.model.calls
    assert call.mix.shape == (call.f0.shape[1], 2) and (call.mix == torch.tensor([0.25, 0.75])).all()
    assert conversion.speaker is None and not hasattr(call, "speaker")
    with pytest.raises(MixError, match="of 3 speakers, the model has 2"):
        convert(converter, tone(), mix=[1, 1, 1])


def test_speakers_are_found_as_by_the_original(golden, converter):
    for case, expected in json.loads(golden("inference/speaker_resolution.json").read_text()).items():
        where, speaker = case.split(":")
        if where == "config" and speaker != "2":
            speaker = speaker.strip("'") if "'" in speaker else int(speaker)
            if isinstance(expected, int):
                assert converter.speaker_id(speaker) == expected
            else:
                with pytest.raises(ConvertError, match="has no speaker"):
                    converter.speaker_id(speaker)
    with pytest.raises(ConvertError, match="has no speaker 2; it has a, b"):  # the original lets one too many through
        converter.speaker_id(2)


# Any song


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("samples", [1, 31, 1000, 66150, 90001])
def test_the_result_is_as_long_as_the_song(converter, rate, samples):
    wav = np.resize(tone(1.0, rate), samples)
    conversion = convert(converter, wav, rate)
    assert len(conversion.audio) == int(samples * 16000 / rate + 0.5)
    assert conversion.chunks[0].start == 0 and conversion.chunks[-1].end == len(conversion.audio)
    assert len(conversion.f0.hz) == len(conversion.audio) // 160


def test_stereo_and_mono_give_the_same(converter, tmp_path):
    wav = tone()
    soundfile.write(tmp_path / "a.wav", np.stack([wav, wav], 1), 16000, "FLOAT")
    mono = convert(converter, wav).audio
    assert np.array_equal(mono, convert(converter, np.stack([wav, wav])).audio)
    assert np.array_equal(mono, convert(converter, tmp_path / "a.wav").audio)


def test_silence_stays_silent_and_says_why(converter):
    conversion = convert(converter, np.zeros(32000))
    assert not conversion.audio.any() and not converter.model.calls
    assert "louder than -40 dB" in conversion.notes[0] and len(conversion.notes) == 1


def test_a_long_pause_stays_silent(converter):
    wav = np.concatenate([tone(6), np.zeros(16000 * 12, np.float32), tone(6)])
    conversion = convert(converter, wav)
    assert [chunk.voiced for chunk in conversion.chunks] == [True, False, True]
    pause = slice(int(6.1 * 16000), int(17.9 * 16000))
    assert not conversion.audio[pause].any()
    assert np.sqrt(np.mean(conversion.audio[: 6 * 16000] ** 2)) > 0.1 and not conversion.notes


def test_a_song_without_pitch_says_so(converter):
    silent = lambda wav: F0(np.zeros(len(wav) // 160), np.zeros(len(wav) // 160, bool))
    conversion = converter.convert(tone(), 16000, "a", f0_predictor=silent)
    assert "No pitch was found" in conversion.notes[0] and np.isfinite(conversion.audio).all()


def test_a_file_is_written_as_the_song_is_converted(converter, tmp_path):
    wav, seen = np.tile(tone(20), 4), []
    whole = convert(converter, wav)
    stream = convert(converter, wav, out=tmp_path / "new" / "a.wav", progress=lambda *at: seen.append(at))
    assert np.abs(stream.audio - whole.audio).max() < 1e-4 and np.array_equal(stream.f0.hz, whole.f0.hz)
    assert seen == [(20.0, 80.0), (40.0, 80.0), (60.0, 80.0), (80.0, 80.0)]
    assert soundfile.info(tmp_path / "new" / "a.wav").samplerate == 16000
    whole.save(tmp_path / "b.flac")
    assert len(audio.load(tmp_path / "b.flac")[0]) == len(wav)


def test_a_failure_leaves_no_file(converter, tmp_path):
    wav = np.tile(tone(20), 4)
    wav[70 * 16000] = np.nan
    soundfile.write(tmp_path / "song.wav", wav, 16000, "FLOAT")
    with pytest.raises(AudioError, match=r"not numbers, from 70\.00 s"):
        convert(converter, tmp_path / "song.wav", out=tmp_path / "a.wav")

    def broken(wav):
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        converter.convert(tone(40), 16000, "a", f0_predictor=broken, out=tmp_path / "a.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]


def test_memory_does_not_grow_with_the_song(converter, tmp_path):
    tracemalloc = pytest.importorskip("tracemalloc")
    peaks = []
    for minutes in (2, 8):
        wav = np.tile(np.concatenate([tone(9.5), np.zeros(8000, np.float32)]), 6 * minutes)
        soundfile.write(tmp_path / "song.wav", wav, 16000)
        del wav
        tracemalloc.start()
        convert(converter, tmp_path / "song.wav", out=tmp_path / "a.flac")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        converter.model.calls.clear()
    assert peaks[1] < 1.3 * peaks[0], peaks


# The melody


def test_the_melody_sung_comes_back_in_the_time_of_the_song(converter):
    rising = lambda wav: F0(np.full(len(wav) // 160, 220.0), np.arange(len(wav) // 160) % 100 < 90)
    conversion = converter.convert(tone(30), 16000, "a", f0_predictor=rising, semitones=12)
    voiced = conversion.f0.voiced
    assert np.allclose(conversion.f0.hz[voiced], 440) and not conversion.f0.hz[~voiced].any()
    assert 0.85 < voiced.mean() < 0.95


def test_an_own_melody_is_sung_and_comes_back(converter):
    wav = np.concatenate([tone(7), np.zeros(8000, np.float32), tone(8)])
    hz = 200 + 100 * np.sin(np.arange(len(wav) // 160) / 50)
    hz[300:350] = 0
    conversion = converter.convert(wav, 16000, "a", f0=hz)
    inside = np.ones(len(hz), bool)
    for edge in [0, 300, 350, conversion.chunks[0].end // 160, len(hz)]:
        inside[max(0, edge - 2) : edge + 2] = False
    assert len(conversion.chunks) == 2
    assert np.abs(conversion.f0.hz - hz)[inside].max() < 1
    again = converter.convert(wav, 16000, "a", f0=conversion.f0)
    assert np.abs(again.f0.hz - conversion.f0.hz)[inside].max() < 1
    first, second = converter.model.calls[:2]
    assert not first.uv[0, :49].any() and first.uv[0, 51:300].all()  # padding is unvoiced
    start = conversion.chunks[1].start
    assert second.f0[0, 100].item() == pytest.approx(np.interp(start / 160 + 50, np.arange(len(hz)), hz), abs=1)


def test_frames_between_frames_are_read_in_between():
    f0 = F0(np.array([100.0, 200, 0, 400]), np.array([True, True, False, True]))
    moved = shift_frames(f0, -0.5, 5)
    assert moved.hz == pytest.approx([100, 150, 0, 0, 0]) or moved.voiced.tolist()[0]
    assert shift_frames(f0, 0, 4).hz.tolist() == [100, 200, 0, 400]
    assert shift_frames(f0, -1, 6).voiced.tolist() == [False, True, True, False, True, False]
    assert not shift_frames(F0(np.zeros(0), np.zeros(0, bool)), 0, 3).voiced.any()


@pytest.mark.parametrize(
    "f0, message",
    [
        (np.full(7, 200.0), "this song has 300 frames"),
        (np.full((1, 300), 200.0), "this song has 300 frames"),
        (np.full(300, np.nan), "must be in Hz"),
        (np.full(300, -1.0), "must be in Hz"),
    ],
)
def test_a_melody_that_does_not_fit_is_refused(converter, f0, message):
    with pytest.raises(ConvertError, match=message):
        converter.convert(tone(), 16000, "a", f0=f0)


def test_noise_begins_anew_with_each_piece(converter):
    draws = []
    infer = converter.model.infer
    converter.model.infer = lambda *a, **k: (draws.append(torch.randn(3, generator=k["generator"])), infer(*a, **k))[1]
    for seed in (1, 1, 2):
        convert(converter, tone(30), seed=seed)
    assert len(draws) == 6 and all(torch.equal(draws[0], draw) for draw in draws[:4])
    assert not torch.equal(draws[0], draws[4])


def test_what_is_silent_in_the_song_is_kept_down():
    wav, voice = tone(3), np.full(48000, 0.1, np.float32)
    noise = 0.001 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)  # -60 dB
    wav[16000:32000] = noise
    ratio = 0.1 / np.sqrt(np.mean(wav**2))
    for level in (1, 4):  # whatever the level of the voice
        out = hush(wav, level * voice, 16000, -40)
        assert np.all(out[:15000] == level * voice[:15000]) and np.all(out[33000:] == level * voice[33000:])
        inside = out[17000:31000] / level
        assert np.sqrt(np.mean(inside**2)) == pytest.approx(2 * 0.001 * ratio, rel=0.1)
        assert np.abs(np.diff(out)).max() < 0.02 * level  # no click
    assert np.array_equal(hush(wav, voice, 16000, -70), voice)
    wav[16000:32000] = 0
    assert not hush(wav, voice, 16000, -40)[17000:31000].any()
    short = tone(1)
    short[8000:9000] = 0  # a stop consonant
    assert np.array_equal(hush(short, voice[:16000], 16000, -40), voice[:16000])


# A real voice


@pytest.mark.parametrize("volume", [False, True])
def test_a_voice_file_sings(tmp_path, monkeypatch, volume):
    small = dict(inter_channels=16, hidden_channels=16, filter_channels=32, n_layers=1, upsample_initial_channel=16)
    tree = Config.preset("lesson", "lesson", SPEAKERS)
    tree = tree.copy_with(model=small | dict(ssl_dim=6, vol_embedding=volume, use_automatic_f0_prediction=True))
    torch.manual_seed(0)
    save_sovits(tmp_path / "voice.safetensors", Sovits(tree), tree)
    monkeypatch.setattr(convert_module.encoders, "get", lambda name, path, device: StandInEncoder())
    converter = Converter.load(tmp_path / "voice.safetensors", device="cpu")
    wav = np.concatenate([tone(1.2, 44100), np.zeros(30000, np.float32)])
    by_name, again, other, auto = (
        converter.convert(wav, 44100, speaker, f0_predictor="pm", **options).audio
        for speaker, options in [("a", {}), (0, {}), ("b", {}), ("a", {"auto_f0": True})]
    )
    assert len(by_name) == len(wav) and np.isfinite(by_name).all() and by_name[:50000].any()
    assert np.array_equal(by_name, again) and not np.array_equal(by_name, other) and not np.array_equal(by_name, auto)
    assert not by_name[-20000:].any()
    if volume:
        assert not np.allclose(by_name, converter.convert(0.1 * wav, 44100, "a", f0_predictor="pm").audio, atol=1e-4)


# What cannot be done


@pytest.mark.parametrize(
    "options, message",
    [
        ({"semitone": 2}, "no option 'semitone'; did you mean 'semitones'"),
        ({"zzz": 2}, "no option 'zzz'; there are semitones"),
        ({"clip": 1, "linear_gradient": 1}, "shorter than clip"),
        ({"linear_gradient_retain": 0}, "from 0.01 to 1"),
        ({"loudness_envelope": 2}, "from 0 to 1"),
        ({"pad_seconds": -1}, "it must be 0 at least"),
        ({"clip": 0.01}, "at least"),
        ({"semitones": float("nan")}, "semitones is nan; it must be a number"),
        ({"retrieval_ratio": 1.1}, "from 0 to 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(converter, options, message):
    with pytest.raises(ConvertError, match=message):
        converter.convert(tone(), 16000, "a", **options)


def test_unknown_names_are_refused(converter, tmp_path):
    with pytest.raises(ConvertError, match="several speakers, so name one: a, b"):
        converter.convert(tone(), 16000)
    with pytest.raises(ConvertError, match="has no speaker 'c'"):
        converter.convert(tone(), 16000, "c")
    with pytest.raises(ValueError, match="no pitch predictor 'fcp'"):
        converter.convert(tone(), 16000, "a", f0_predictor="fcp")
    with pytest.raises(AudioError, match="formats are"):
        converter.convert(tone(), 16000, "a", out=tmp_path / "a.wma")
    with pytest.raises(AudioError, match="There is no file"):
        converter.convert(tmp_path / "none.wav", speaker="a")
    with pytest.raises(AudioError, match="holds no sound"):
        converter.convert(np.zeros(0), 16000, "a")


def test_a_song_is_not_overwritten_by_its_conversion(converter, tmp_path):
    audio.save(tmp_path / "a.wav", tone(), 16000)
    with pytest.raises(ConvertError, match="is the song itself"):
        convert(converter, tmp_path / "a.wav", out=tmp_path / "." / "a.wav")


def test_a_model_that_cannot_choose_the_melody_says_so():
    converter = Converter(StandInModel(), config(use_automatic_f0_prediction=False), StandInEncoder(), "cpu")
    with pytest.raises(ConvertError, match="no F0 decoder"):
        convert(converter, tone(), auto_f0=True)


def test_an_encoder_of_another_width_is_refused():
    with pytest.raises(ConvertError, match="wants units of 8 values, but stand-in gives 6"):
        Converter(StandInModel(), config(ssl_dim=8), StandInEncoder(), "cpu")


def test_the_only_speaker_needs_no_name():
    converter = Converter(StandInModel(), config(speakers=["a"]), StandInEncoder(), "cpu")
    assert convert(converter, tone(), speaker=None).speaker == 0
