"""What all trainings share."""

import pytest
import torch

from svcnb.training.loop import fast_arithmetic


def settings():
    tiny = torch.tensor([1e-39]) * 1.0  # not a normal number any more
    return torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark, tiny.item() == 0


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor keeps numbers near zero")
def test_fast_arithmetic_ends_with_the_training():
    before = settings()
    with pytest.raises(KeyboardInterrupt), fast_arithmetic():
        assert settings() == ("high", True, True)
        raise KeyboardInterrupt
    assert settings() == before and not before[2]
