"""Voices of low-rank weights: trained by the same loop, merged, mixed, and refused for another base."""

import shutil

import pytest
import torch

from svcnb.checkpoint import CheckpointError, load_sovits, read_torch, read_weights, save_sovits
from svcnb.config import Config
from svcnb.lora import merge
from svcnb.mixing import mix_models
from svcnb.models import lora
from svcnb.models.sovits import Sovits
from svcnb.training import train_sovits
from svcnb.training.state import ResumeError

from .conftest import prepared, small_config

FROZEN = "dec.ups.0.weight_v"


def run(work, steps, base=None, **train):
    config = Config.load(work / "configs/config.json").copy_with(train={"lora_rank": 1, **train})
    return list(train_sovits(work, config, base=base, max_steps=steps, device="cpu"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A base, two voices of it, and the work folder of the first; ema and critics as in any training."""
    place = tmp_path_factory.mktemp("lora")
    config = small_config()
    torch.manual_seed(0)
    save_sovits(place / "base.safetensors", Sovits(config), config)
    works = [prepared(place / name, config) for name in ("a", "b")]
    steps = run(works[0], 4, place / "base.safetensors"), run(works[1], 2, place / "base.safetensors", seed=9)
    return place / "base.safetensors", works, steps


def voice(work, step):
    return work / f"logs/44k/L_{step}.safetensors"


def same(model, other):
    others = other.state_dict()
    return all(torch.allclose(tensor, others[key], atol=1e-6) for key, tensor in model.state_dict().items())


def test_the_model_sings_as_before_until_it_is_trained():
    torch.manual_seed(0)
    config = small_config()
    model = Sovits(config)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    lora.adapt(model, 1, "enc_q.", torch.Generator().manual_seed(0))
    trained, frozen = lora.parts(model)
    assert all(torch.equal(tensor, before[key]) for key, tensor in lora.combined(frozen, [trained], [1]).items())
    assert f"{FROZEN}.up" in trained and FROZEN in frozen and "enc_q.enc.in_layers.0.weight_v" in trained
    assert not {key for key in trained if key.endswith((".up", ".down")) and key.startswith(("enc_q", "emb_g"))}
    with torch.no_grad():
        model.get_submodule("dec.ups.0").parametrizations.weight_v[0].up.fill_(0.1)
    whole = lora.combined(frozen, [trained], [1])
    assert whole.keys() <= before.keys() and "enc_q.proj.weight" in whole
    assert [key for key, tensor in whole.items() if not torch.equal(tensor, before[key])] == [FROZEN]


def test_training_leaves_the_large_weights_of_the_base(trained):
    base, (work, _), (steps, _) = trained
    before, after = read_weights(base), read_weights(steps[-1].saved)
    delta = (after[FROZEN] - before[FROZEN]).flatten(1)
    assert delta.abs().max() > 0 and torch.linalg.matrix_rank(delta, rtol=1e-3) == 1
    assert not torch.equal(after["emb_g.weight"], before["emb_g.weight"]), "small parts are trained whole"
    stored = read_torch(work / "logs/44k/state.pt")["models"]["generator"]
    assert torch.equal(stored["dec.ups.0.parametrizations.weight_v.original"], before[FROZEN])
    assert voice(work, 4).stat().st_size < steps[-1].saved.stat().st_size


def test_merged_it_is_the_model_that_training_saved(trained, tmp_path):
    base, (work, _), (steps, _) = trained
    model, config = merge(base, [voice(work, 4)])
    assert same(model, load_sovits(steps[-1].saved)[0]) and config.spk == {"ann": 0, "bob": 1}
    save_sovits(tmp_path / "voice.safetensors", model, config)
    assert same(model, load_sovits(tmp_path / "voice.safetensors")[0])


def test_two_voices_mix_as_their_models_do(trained):
    base, works, (first, second) = trained
    mixed, _ = merge(base, [voice(works[0], 4), voice(works[1], 2)], [30, 70])
    whole = mix_models([first[-1].saved, second[-1].saved], [30, 70], "linear")
    heard = {key: tensor for key, tensor in whole.items() if not key.startswith("enc_q.")}
    assert all(torch.allclose(mixed.state_dict()[key], tensor, atol=1e-6) for key, tensor in heard.items())


def test_it_goes_on_exactly(trained, tmp_path):
    base, (work, _), _ = trained
    shutil.copytree(work, tmp_path / "work", ignore=shutil.ignore_patterns("logs"))
    run(tmp_path / "work", 3, base)
    assert [step.resumed_from for step in run(tmp_path / "work", 4)] == [3], "the base is in the state"
    ours, theirs = (read_weights(voice(place, 4)) for place in (tmp_path / "work", work))
    assert all(torch.equal(ours[key], tensor) for key, tensor in theirs.items())
    with pytest.raises(ResumeError, match="lora_rank was 1 and is now 2"):
        run(tmp_path / "work", 5, lora_rank=2)


def test_what_can_not_be_adapted_or_merged_is_refused(trained, tmp_path):
    base, (work, _), (steps, _) = trained
    shutil.copytree(work, tmp_path / "work", ignore=shutil.ignore_patterns("logs"))
    with pytest.raises(CheckpointError, match="give one as the base"):
        run(tmp_path / "work", 1)
    other = small_config().copy_with(model={"ssl_dim": 7})
    save_sovits(tmp_path / "other.safetensors", Sovits(other), other)
    with pytest.raises(CheckpointError, match=r"has no pre\.weight of this shape"):
        run(tmp_path / "work", 1, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="trained from another model"):
        merge(steps[-1].saved, [voice(work, 4)])
    with pytest.raises(CheckpointError, match="holds no low-rank voice but a sovits"):
        merge(base, [base])
    with pytest.raises(CheckpointError, match="1 voices and 2 percentages"):
        merge(base, [voice(work, 4)], [50, 50])
