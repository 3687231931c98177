"""The golden models, for training."""

from ..models.conftest import arrays, tiny, tiny_config  # noqa: F401
