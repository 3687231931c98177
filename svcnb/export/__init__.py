"""ONNX: a voice as graphs that run without torch, each proven equal to the network that it came from.

    print(export_onnx(model, "clara.onnx"))            # the voice alone; says how far it is from torch
    export_voice(converter, "clara")                   # all that conversion needs, for svcnb.portable
    export_moevoicestudio(converter, "models", "clara")

Whatever is random is an input, any length can be sung, and every export compares graph and network at several lengths.

Notebook: 06_mixing_export
"""

from svcnb.export.diffusion import export_diffusion, export_vocoder
from svcnb.export.folder import export_moevoicestudio, export_voice
from svcnb.export.graph import ExportError, Parity
from svcnb.export.hearing import export_encoder, export_f0
from svcnb.export.sovits import export_onnx

__all__ = [
    "ExportError", "Parity", "export_diffusion", "export_encoder", "export_f0", "export_moevoicestudio", "export_onnx",
    "export_vocoder", "export_voice",
]  # fmt: skip
