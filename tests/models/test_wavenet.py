import pytest
import torch

from svcnb.models.wavenet import WaveNet, clear_start


@pytest.mark.parametrize("channels", [40, 80])
def test_from_a_clear_start_all_is_said_to_be_noise(channels):
    torch.manual_seed(0)
    net = WaveNet(mels=32, layers=4, channels=channels, hidden=16)
    x, condition = torch.randn(2, 32, 50), torch.randn(2, 16, 50)
    missed = lambda step: (net(x, torch.full((2,), step), condition) - x).square().mean().item()
    with torch.no_grad():
        assert missed(999.0) > 0.9
        clear_start(net)
        assert max(missed(0.0), missed(999.0)) < 0.1


def test_a_clear_start_can_be_learnt_from():
    torch.manual_seed(0)
    net = WaveNet(mels=8, layers=2, channels=12, hidden=4)
    clear_start(net)
    x, condition = torch.randn(2, 8, 20), torch.randn(2, 4, 20)
    net(x, torch.full((2,), 500.0), condition).square().mean().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in net.residual_layers[1].parameters())
