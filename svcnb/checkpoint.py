"""Model files: our own safetensors, which carry their config, and the original's .pth, in and out.

Notebook: 06_mixing_export
"""

from svcnb.unpickle import CheckpointError, Inert, read_torch

__all__ = ["CheckpointError", "Inert", "read_torch"]
