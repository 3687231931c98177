"""Sound as arrays: reading, writing, resampling, loudness, envelopes and joins; mono float32, full scale is ±1.

Notebook: 01_data
"""

import io
import shutil
import struct
import subprocess
from pathlib import Path

import librosa
import numpy as np
import soundfile

from svcnb.files import write_whole

FORMATS = {".wav": "WAV", ".flac": "FLAC", ".mp3": "MP3", ".ogg": "OGG"}
TARGET_LUFS = -18.0  # ordinary singing peaks 12 to 18 dB above its loudness, so this is as loud as fits
CEILING = 10 ** (-1 / 20)  # highest true peak, -1 dBTP
BLOCK = 1 << 20  # samples that are worked on at once, so that an hour of song needs little more memory than itself


class AudioError(ValueError):
    """A sound file cannot be used; the message says why and what to do."""


def load(path: str | Path, sample_rate: int | None = None) -> tuple[np.ndarray, int]:
    """Read any sound file as (wav (N,) float32, rate), channels averaged, resampled if a rate is asked for.

    What libsndfile does not read goes through ffmpeg, if it is installed. Values beyond ±1 are kept.
    Raises AudioError when the file is missing, empty, cut short, not audio, or holds NaN or infinity.
    """
    with open_sound(path) as file:
        rate = file.samplerate
        wav = [read_next(file, min(BLOCK, file.frames - at), path) for at in range(0, file.frames, BLOCK)]
    wav = np.concatenate(wav or [np.zeros(0, np.float32)])
    if not len(wav):
        raise AudioError(f"{path} holds no sound; record it again.")
    if not np.isfinite(wav).all():
        second = np.flatnonzero(~np.isfinite(wav))[0] / rate
        raise AudioError(f"{path} holds values that are not numbers, from {second:.2f} s on; export it again.")
    if sample_rate is None or sample_rate == rate:
        return wav, rate
    return resample(wav, rate, sample_rate), sample_rate


def open_sound(path: str | Path) -> soundfile.SoundFile:
    """Open any sound file to read it in blocks; what libsndfile does not read comes through ffmpeg, where installed.

    Raises AudioError when the file is missing, empty, cut short (wav) or not audio.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise AudioError(f"{path} is an empty file; copy or record it again.")
    try:
        _refuse_cut_wav(path)
        return soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        return soundfile.SoundFile(_through_ffmpeg(path, error))
    except OSError as error:
        raise AudioError(f"{path} could not be read: {error.strerror or error}.") from None


def read_next(file: soundfile.SoundFile, samples: int, path: str | Path) -> np.ndarray:
    """The next samples of an open file, (samples,), channels averaged. Raises AudioError if they are not all there."""
    try:
        channels = file.read(samples, dtype="float32", always_2d=True)
        with np.errstate(invalid="ignore", over="ignore"):  # callers refuse what is not finite, in a sentence
            wav = channels.mean(axis=1)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path} is damaged ({error}); copy or export it again.") from None
    if len(wav) < samples:
        raise AudioError(_cut_short(path, file.tell() / file.frames))
    return wav


def _refuse_cut_wav(path: Path) -> None:
    """libsndfile silently reads what is left of a truncated wav file, so its header is compared with its size."""
    with open(path, "rb") as file:
        head = file.read(12)
    if len(head) == 12 and head[:4] == b"RIFF" and head[8:] == b"WAVE":
        promised, there = struct.unpack("<I", head[4:8])[0] + 8, path.stat().st_size
        if there + 64 < promised < 0x7FFFF000:  # larger: written to a pipe, length unknown; 64: sloppy but whole
            raise AudioError(_cut_short(path, there / promised))


def _cut_short(path: Path, share: float) -> str:
    return f"{path} is cut short: about {share:.0%} of it is there; copy or export it again."


def _through_ffmpeg(path: Path, error: Exception) -> io.BytesIO:
    program = shutil.which("ffmpeg")
    if program is None:
        raise AudioError(
            f"{path} is not a sound file that can be read here; convert it to wav or flac, or install ffmpeg "
            f"for m4a and others ({error})."
        )
    command = [program, "-v", "error", "-nostdin", "-i", str(path), "-vn", "-c:a", "pcm_f32le", "-f", "wav", "-"]
    result = subprocess.run(command, capture_output=True)
    if result.returncode or not result.stdout:
        reason = result.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no sound in it"]
        raise AudioError(f"{path} is not a sound file that ffmpeg can read ({reason[0]}); export it again.")
    return io.BytesIO(result.stdout)


def save(path: str | Path, wav: np.ndarray, sample_rate: int) -> None:
    """Write wav, flac (16 bit), mp3 or ogg, as the suffix says; values beyond ±1 are clipped.

    The file appears whole or not at all. Raises AudioError for another suffix or for NaN, OSError when it cannot
    be written.
    """
    kind, wav = output_format(path), np.asarray(wav)
    if not np.isfinite(wav).all():
        raise AudioError(f"{path} was not written: the sound holds values that are not numbers.")
    buffer = io.BytesIO()
    data = to_int16(wav) if kind in ("WAV", "FLAC") else np.clip(wav, -1, 1).astype(np.float32)
    soundfile.write(buffer, data, sample_rate, format=kind)
    write_whole(path, buffer.getvalue())


def output_format(path: str | Path) -> str:
    """libsndfile's name for the format of a file to write. Raises AudioError for a suffix that is not ours."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise AudioError(f"{path} cannot be written: the formats are {', '.join(FORMATS)}.")
    return FORMATS[suffix]


def to_int16(wav: np.ndarray) -> np.ndarray:
    """16-bit samples, rounded to the nearest step and clipped at full scale."""
    return np.clip(np.round(np.asarray(wav, np.float64) * 32767), -32768, 32767).astype(np.int16)


def resample(wav: np.ndarray, rate: int, to: int) -> np.ndarray:
    """wav (N,) at another rate, (ceil(N * to / rate),), by the soxr library in high quality."""
    wav = np.asarray(wav, np.float32)
    if rate == to or not len(wav):
        return wav
    out = librosa.resample(wav, orig_sr=rate, target_sr=to, res_type="soxr_hq", fix=False)
    return librosa.util.fix_length(out, size=-(-len(wav) * to // rate))


def volume(wav: np.ndarray, hop: int) -> np.ndarray:
    """Root mean square of the `hop` samples around the start of each frame, (N // hop,)."""
    frames = len(wav) // hop
    if not frames:
        return np.zeros(0, np.float32)
    power = np.pad(np.asarray(wav, np.float32) ** 2, (hop // 2, (hop + 1) // 2), mode="reflect")
    return np.sqrt(power[: frames * hop].reshape(frames, hop).mean(axis=1))


def rms(wav: np.ndarray, window: int, hop: int) -> np.ndarray:
    """Root mean square of windows centred on every multiple of `hop`, (N // hop + 1,); beyond the ends is silence."""
    padded = np.pad(np.asarray(wav, np.float32), window // 2)
    frames = (len(padded) - window) // hop + 1
    step = max(1, BLOCK // hop)
    blocks = [padded[i * hop : (min(i + step, frames) - 1) * hop + window] for i in range(0, frames, step)]
    values = [librosa.feature.rms(y=block, frame_length=window, hop_length=hop, center=False)[0] for block in blocks]
    return np.concatenate(values) if values else np.zeros(0, np.float32)


def match_envelope(source: np.ndarray, output: np.ndarray, sample_rate: int, amount: float) -> np.ndarray:
    """`output` with the loudness over time of `source`: wholly at amount 0, not at all at 1, in between by ratio.

    Loudness is measured over about a second, twice a second, and read from start to end of each, so that the two
    may differ in length.
    """
    if amount == 1 or not len(output) or not len(source):
        return output
    half = sample_rate // 2
    wanted, present = (_stretch(rms(wav, half * 2, half), len(output)) for wav in (source, output))
    return output * (wanted ** (1 - amount) * np.maximum(present, 1e-6) ** (amount - 1)).astype(output.dtype)


def hush(source: np.ndarray, output: np.ndarray, sample_rate: int, silence_db: float) -> np.ndarray:
    """`output`, kept down wherever `source` is silent: a model makes a voice even of room noise.

    Where the source, over a tenth of a second, is under `silence_db`, the output is at most twice as loud as it, their
    overall levels matched; 6 dB above, it is free.
    """
    hop = max(1, sample_rate // 100)
    song, made = (rms(wav, 10 * hop, hop) for wav in (source, output))
    allowed = 2 * song * np.sqrt(np.mean(output**2) / max(np.mean(source**2), 1e-12))
    doubt = np.clip(2 - song / 10 ** (silence_db / 20), 0, 1)
    gain = 1 - doubt * (1 - np.minimum(1, allowed / np.maximum(made, 1e-9)))
    return output * np.interp(np.arange(len(output)) / hop, np.arange(len(gain)), gain).astype(np.float32)


def _stretch(curve: np.ndarray, length: int) -> np.ndarray:
    at = (np.arange(length) + 0.5) * (len(curve) / length) - 0.5
    return np.interp(at, np.arange(len(curve)), curve)


def crossfade(a: np.ndarray, b: np.ndarray, length: int) -> np.ndarray:
    """a and b joined, the last `length` samples of a fading linearly into the first of b.

    Raises ValueError when a piece is shorter than that.
    """
    if not 0 <= length <= min(len(a), len(b)):
        raise ValueError(f"A crossfade of {length} samples does not fit pieces of {len(a)} and {len(b)}.")
    ramp = np.linspace(0, 1, length, dtype=np.float32)
    blend = a[len(a) - length :] * (1 - ramp) + b[:length] * ramp
    return np.concatenate([a[: len(a) - length], blend, b[length:]])


def normalize(wav: np.ndarray, sample_rate: int, mode: str = "peak") -> np.ndarray:
    """wav at a common level: `peak` at full scale, `lufs` at -18 LUFS with peaks under -1 dBTP, `none` as it is.

    Silence stays silence. Raises AudioError for another mode.
    """
    if mode not in ("peak", "lufs", "none"):
        raise AudioError(f"There is no loudness mode {mode!r}; there are peak, lufs and none.")
    top = np.abs(wav).max(initial=0)
    if mode == "none" or top == 0:
        return wav
    if mode == "peak":
        return wav / top
    level = loudness(wav, sample_rate)
    gain = 10 ** ((TARGET_LUFS - level) / 20) if np.isfinite(level) else 1.0
    return (wav * min(gain, CEILING / true_peak(wav))).astype(wav.dtype)


def loudness(wav: np.ndarray, sample_rate: int) -> float:
    """Integrated loudness in LUFS (ITU-R BS.1770), -inf for silence; sound under 0.4 s is repeated to that length."""
    import pyloudnorm

    if not np.any(wav):
        return -np.inf
    shortest = int(0.4 * sample_rate) + 1
    wav = np.resize(wav, shortest) if len(wav) < shortest else wav
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(pyloudnorm.Meter(sample_rate).integrated_loudness(wav))


def true_peak(wav: np.ndarray) -> float:
    """Highest value of the curve through the samples, found between them by fourfold oversampling."""
    blocks = (wav[i : i + BLOCK] for i in range(0, len(wav), BLOCK))
    return max((float(np.abs(resample(block, 1, 4)).max()) for block in blocks), default=0.0)
