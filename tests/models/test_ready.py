"""A network made ready to sing sings the same."""

import pytest
import torch

from svcnb.models.nsf_hifigan import in_windows
from svcnb.models.ready import ready_to_sing
from svcnb.models.snake import SnakeAlias

from .conftest import close

NAMES = {"nsf": "nsf-hifigan", "snake": "nsf-snake-hifigan"}


def sing(decoder, frames=40, wanted=None):
    rest = torch.Generator().manual_seed(0)
    z, g = torch.randn(2, decoder.conv_pre.in_channels, frames, generator=rest), decoder.cond.in_channels
    with torch.inference_mode():
        return decoder(z, torch.full((2, frames), 200.0), torch.randn(2, g, 1, generator=rest), rest, wanted)


@pytest.mark.parametrize("name", NAMES)
def test_in_windows_it_sings_the_same(tiny, name):
    expected = sing(tiny(vocoder_name=NAMES[name]).dec)
    decoder = ready_to_sing(tiny(vocoder_name=NAMES[name])).dec
    assert decoder.window > expected.numel()
    close(sing(decoder), expected, atol=1e-6)
    decoder.window = 128 * decoder.conv_post.in_channels
    close(sing(decoder), expected, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_reach_of_a_stage_is_what_its_samples_depend_on(tiny, name):
    block = tiny(vocoder_name=NAMES[name]).dec.resblocks[-1]
    x = torch.zeros(1, block.convs1[0].in_channels, 1, 400, requires_grad=True)
    block(x + 0.1)[0, 0, 0, 200].backward()
    heard = x.grad.abs().sum((0, 1, 2)).nonzero().flatten() - 200
    assert heard.min() >= -block.reach and heard.max() <= block.reach
    assert heard.max() > 0.8 * block.reach


@pytest.mark.parametrize("name", NAMES)
def test_frames_that_nobody_wants_are_left_out(tiny, name):
    decoder = tiny(vocoder_name=NAMES[name]).dec
    reach, hop = decoder.reach, decoder.hop
    wanted, total = slice(reach + 5, reach + 9), 3 * reach + 14
    whole, part = sing(decoder, total), sing(decoder, total, wanted)
    assert part.shape == whole.shape
    close(part[..., wanted.start * hop : wanted.stop * hop], whole[..., wanted.start * hop : wanted.stop * hop], 1e-6)
    assert not part[..., : 5 * hop].any() and not part[..., (2 * reach + 9) * hop :].any()


def test_what_is_no_precision_is_refused(tiny):
    with pytest.raises(ValueError, match="no precision 'fp8'"):
        ready_to_sing(tiny(), "fp8")


def test_windows_of_a_part_that_needs_its_neighbours():
    smooth = lambda x: torch.nn.functional.avg_pool2d(x, (1, 5), 1, (0, 2))
    x = torch.randn(1, 3, 1, 1000)
    assert torch.equal(in_windows(smooth, x, 100, 2), smooth(x))
    assert not torch.equal(in_windows(smooth, x, 100, 1), smooth(x))


@pytest.mark.parametrize("frames", [1, 2, 33, 500])
def test_the_fused_snake_is_the_snake(frames):
    snake = SnakeAlias(5)
    torch.nn.init.normal_(snake.act.alpha), torch.nn.init.normal_(snake.act.beta)
    x = 3 * torch.randn(2, 5, 1, frames)
    with torch.inference_mode():
        expected = snake(x)
        snake.fused = True
        close(snake(x), expected, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_is_nearly_the_same(tiny, name):
    exact, narrow = sing(tiny(vocoder_name=NAMES[name]).dec), ready_to_sing(tiny(vocoder_name=NAMES[name]), "bf16").dec
    assert narrow.conv_pre.weight.dtype == torch.bfloat16
    sound = sing(narrow)
    assert sound.dtype == torch.float32
    assert 0 < (sound - exact).norm() < 0.1 * exact.norm()
