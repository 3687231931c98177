"""A whole voice as files for others: a folder that onnxruntime runs without torch, or one for MoeVoiceStudio.

Notebook: 06_mixing_export
"""

import json
from pathlib import Path

from svcnb import f0 as pitch
from svcnb.config import Config
from svcnb.convert import Converter
from svcnb.export.diffusion import export_diffusion
from svcnb.export.graph import ExportError, Parity
from svcnb.export.hearing import export_encoder, export_f0
from svcnb.export.sovits import export_drawing, export_onnx
from svcnb.files import write_whole
from svcnb.models.diffusion import Unit2Mel
from svcnb.models.sovits import Sovits

FORMAT = 1  # of voice.json


def export_voice(converter: Converter, folder: str | Path, f0: str = "fcpe") -> list[Parity]:
    """Write all that conversion needs into a folder that `svcnb.portable` opens: graphs, and voice.json about them.

    f0: the pitch predictor that goes along, fcpe or rmvpe. Returns how far each graph is from its network. Raises
    ExportError, OSError.
    """
    folder, config = Path(folder), converter.config
    if config.data.unit_interpolate_mode not in ("nearest", "left"):
        raise ExportError(f"Units that are stretched by {config.data.unit_interpolate_mode!r} can not be exported.")
    predictor = pitch.get(f0, converter.sample_rate, converter.hop)
    reports = [
        export_onnx(converter.model, folder / "sovits.onnx", speaker_mix=True, speakers=_numbers(config)),
        export_encoder(converter.encoder, folder / "encoder.onnx"),
        export_f0(predictor, folder / "f0.onnx"),
    ]
    write_whole(folder / "voice.json", json.dumps(_about(converter, f0), indent=4, ensure_ascii=False) + "\n")
    return reports


def export_moevoicestudio(
    model: Sovits, config: Config, folder: str | Path, name: str, diffusion: Unit2Mel | None = None
) -> list[Parity]:
    """Write folder/<name>/<name>_SoVits.onnx and folder/<name>.json, which MoeVoiceStudio opens.

    Voices of several speakers can be mixed there. diffusion: its four graphs go beside the first. Raises ExportError,
    OSError.
    """
    folder, several = Path(folder), len(config.spk) > 1
    graph = folder / name / f"{name}_SoVits.onnx"
    reports = [export_drawing(model, graph, speaker_mix=several, speakers=_numbers(config))]
    if diffusion is not None:
        reports += export_diffusion(diffusion, folder / name, name)
    layer = 12 if config.model.ssl_dim == 768 else 9
    about = {
        "Folder": name, "Name": name, "Type": "SoVits", "Rate": config.data.sampling_rate,
        "Hop": config.data.hop_length, "Cluster": "", "SoVits4": True, "SoVits3": False, "CharaMix": several,
        "Volume": model.emb_vol is not None, "Hubert": f"vec-{config.model.ssl_dim}-layer-{layer}",
        "HiddenSize": config.model.ssl_dim, "Characters": list(config.spk),
    }  # fmt: skip
    write_whole(folder / f"{name}.json", json.dumps(about, indent=4, ensure_ascii=False))
    return reports


def _numbers(config: Config) -> list[int] | None:
    """Rows of the speakers' embedding, in the order of their names; None: all, of a model without names."""
    return list(config.spk.values()) or None


def _about(converter: Converter, f0: str) -> dict:
    """What a host must know besides the graphs."""
    config, model = converter.config, converter.model
    speakers = list(config.spk) or [str(number) for number in range(model.emb_g.num_embeddings)]
    return {
        "format": FORMAT, "speakers": speakers, "sample_rate": converter.sample_rate, "hop": converter.hop,
        "encoder": converter.encoder.name, "stretch": config.data.unit_interpolate_mode, "f0": f0,
        "volume": model.emb_vol is not None, "latent": model.enc_p.proj.out_channels // 2,
    }  # fmt: skip
