"""A whole voice as files for others: a folder that onnxruntime runs without torch, or one for MoeVoiceStudio.

Notebook: 06_mixing_export
"""

import json
import zipfile
from pathlib import Path

import svcnb
from svcnb import f0 as pitch
from svcnb.convert import Converter
from svcnb.export.diffusion import export_diffusion, export_vocoder
from svcnb.export.graph import ExportError, Parity
from svcnb.export.hearing import export_encoder, export_f0
from svcnb.export.sovits import export_drawing, export_onnx
from svcnb.files import whole_file, write_whole
from svcnb.models.noising import SPEC_MAX, SPEC_MIN
from svcnb.portable import FORMAT

FREE_OF_TORCH = (  # modules that an exported voice is sung by, packed beside it as sing.pyz
    "__init__.py", "audio.py", "f0/__init__.py", "f0/postprocess.py", "f0/predictor.py", "files.py", "job.py",
    "mixing.py", "options.py", "portable.py", "slicer.py", "stream.py",
)  # fmt: skip
START = """import sys

try:
    from svcnb.portable import main
except ImportError as error:
    sys.exit(f"{error.name} is missing; install what singing needs: pip install numpy librosa soundfile onnxruntime")
main()
"""
LETTER = """This folder holds a singing voice: {speakers}.

    pip install numpy librosa soundfile onnxruntime
    python sing.pyz song.wav --speaker {first}

song.wav is a recording of singing without accompaniment; --semitones shifts its melody, --help tells the rest.
Use the voice only as its owner allows.
"""


def export_voice(converter: Converter, folder: str | Path, f0: str = "fcpe") -> list[Parity]:
    """Write all that conversion needs into a folder for `svcnb.portable`: graphs, voice.json about them, and sing.pyz.

    f0: the pitch predictor that goes along, fcpe or rmvpe. A retrieval and an enhancer stay behind. Returns how far
    each graph is from its network. Raises ExportError, OSError.
    """
    folder, stretch = Path(folder), converter.config.data.unit_interpolate_mode
    if stretch not in ("nearest", "left"):
        raise ExportError(f"Units that are stretched by {stretch!r} can not be exported.")
    (ours, theirs), second = _rows(converter), converter.diffusion
    reports = [
        export_encoder(converter.encoder, folder / "encoder.onnx"),
        export_f0(pitch.get(f0, converter.sample_rate, converter.hop), folder / "f0.onnx"),
    ]
    if converter.model is not None:
        reports.append(export_onnx(converter.model, folder / "sovits.onnx", speaker_mix=True, speakers=ours))
    if second is not None:
        reports += export_diffusion(second.model, folder, "diffusion", theirs)
        reports += export_vocoder(second.vocoder, folder)
    about = _about(converter, f0)
    write_whole(folder / "voice.json", json.dumps(about, indent=4, ensure_ascii=False) + "\n")
    names = about["speakers"]
    write_whole(folder / "README.txt", LETTER.format(speakers=", ".join(names), first=names[0]))
    _pack(folder / "sing.pyz")
    return reports


def _pack(path: Path) -> None:
    """A program that Python runs as it is: what sings an exported voice."""
    with whole_file(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("__main__.py", START)
        for name in FREE_OF_TORCH:
            file.write(Path(svcnb.__file__).parent / name, f"svcnb/{name}")


def export_moevoicestudio(converter: Converter, folder: str | Path, name: str) -> list[Parity]:
    """Write folder/<name>/<name>_SoVits.onnx and folder/<name>.json, which MoeVoiceStudio opens.

    Voices of several speakers can be mixed there. The four graphs of a diffusion model go beside the first. Raises
    ExportError, OSError.
    """
    folder, config, model = Path(folder), converter.config, converter.model
    if model is None:
        raise ExportError("For MoeVoiceStudio there must be a So-VITS model; load one beside the diffusion model.")
    several = converter.n_speakers > 1
    ours, theirs = _rows(converter)
    reports = [export_drawing(model, folder / name / f"{name}_SoVits.onnx", speaker_mix=several, speakers=ours)]
    if converter.diffusion is not None:
        reports += export_diffusion(converter.diffusion.model, folder / name, name, theirs)
    layer = 12 if config.model.ssl_dim == 768 else 9
    about = {
        "Folder": name, "Name": name, "Type": "SoVits", "Rate": config.data.sampling_rate,
        "Hop": config.data.hop_length, "Cluster": "", "SoVits4": True, "SoVits3": False, "CharaMix": several,
        "Volume": model.emb_vol is not None, "Hubert": f"vec-{config.model.ssl_dim}-layer-{layer}",
        "HiddenSize": config.model.ssl_dim, "Characters": _names(converter),
    }  # fmt: skip
    write_whole(folder / f"{name}.json", json.dumps(about, indent=4, ensure_ascii=False))
    return reports


def _names(converter: Converter) -> list[str]:
    return list(converter.speakers) or [str(number) for number in range(converter.n_speakers)]


def _rows(converter: Converter) -> tuple[list[int] | None, list[int] | None]:
    """Rows of the speakers in the voice and in the diffusion model, in the order of their names; None: all."""
    ours, second = list(converter.speakers.values()) or None, converter.diffusion
    return ours, [second.numbers[number] for number in ours] if second and second.numbers else ours


def _about(converter: Converter, f0: str) -> dict:
    """What a host must know besides the graphs."""
    model, second = converter.model, converter.diffusion
    about = {
        "format": FORMAT, "speakers": _names(converter),
        "sample_rate": converter.sample_rate, "hop": converter.hop, "encoder": converter.encoder.name,
        "stretch": converter.config.data.unit_interpolate_mode, "f0": f0,
        "volume": model is not None and model.emb_vol is not None,
        "latent": None if model is None else model.enc_p.proj.out_channels // 2,
        "reach": 0 if model is None else model.dec.reach, "diffusion": None,
    }  # fmt: skip
    if second is not None:
        about["diffusion"] = {
            "mels": second.model.mels, "timesteps": second.model.timesteps, "k_step_max": second.model.k_step_max,
            "speedup": second.config.infer.speedup, "range": [SPEC_MIN, SPEC_MAX],
        }  # fmt: skip
    return about
