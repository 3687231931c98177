"""Putting stored weights into a network, and saying in words what does not fit and which setting to look at.

Notebook: 06_mixing_export
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import nn

_SETTINGS = (  # what decides the shape or presence of a tensor, by the beginning of its key
    (r"emb_g\.", "model.n_speakers and model.gin_channels"),
    (r"emb_vol\.", "model.vol_embedding"),
    (r"pre\.", "model.ssl_dim (the speech encoder's width) and model.hidden_channels"),
    (r"enc_p\.", "model.n_layers, model.filter_channels, model.n_heads, model.kernel_size and model.inter_channels"),
    (r"dec\..*(alpha|beta|snake)", "model.vocoder_name"),
    (r"dec\.m_source\.", "model.sawtooth"),
    (r"dec\.resblocks", "model.resblock, model.resblock_kernel_sizes and model.resblock_dilation_sizes"),
    (r"dec\.", "model.upsample_rates, model.upsample_kernel_sizes and model.upsample_initial_channel"),
    (r"enc_q\.pre", "data.filter_length"),
    (r".*\.(depth|point)_conv", "model.use_depthwise_conv"),
    (r"flow\.flows\.\d+\.enc\.(in_|res_skip|cond_layer)", "model.n_flow_layer, model.use_depthwise_conv and "
     "model.use_transformer_flow"),
    (r"flow\.", "model.use_transformer_flow, model.n_flow_layer and model.flow_share_parameter"),
    (r"f0_decoder\.", "model.use_automatic_f0_prediction"),
    (r"emb_uv\.", "model.hidden_channels"),
    (r"unit_embed\.", "data.encoder_out_channels and model.n_hidden"),
    (r"(f0|volume)_embed\.", "model.n_hidden"),
    (r"aug_shift_embed\.", "model.use_pitch_aug"),
    (r"spk_embed\.", "model.n_spk"),
    (r"decoder\.denoise_fn\.", "model.n_layers, model.n_chans and model.n_hidden"),
    (r"decoder\.", "model.timesteps and model.type"),
    (r"m_source\.", "sawtooth"),
    (r"(conv_pre|conv_post|noise_convs|ups|resblocks)\.", "num_mels and the upsample and resblock settings"),
    (r"discriminators\.", "model.use_spectral_norm and train.disc_width"),
)  # fmt: skip


class Misfit(NamedTuple):
    """What a file and a network do not share."""

    kept: dict[str, str]  # the network's tensors that stayed as they were, in its order, and why
    unused: list[str]  # the file's tensors that have no place
    taken: int  # how many went over


def fit(model: nn.Module, stored: dict[str, torch.Tensor]) -> Misfit:
    """Copy every stored tensor that has a place of its shape in the model, in the model's precision.

    Constant filters stay the model's own. Of a tensor that has several names the last counts, as in the original.
    """
    own = {key: tensor for key, tensor in model.state_dict().items() if not is_constant(key)}
    kept, names = {}, shared_names(model)
    for key, tensor in own.items():
        value = next((stored[name] for name in reversed(names.get(key, [key])) if name in stored), None)
        if value is None:
            kept[key] = "is not in the file"
        elif value.shape != tensor.shape:
            kept[key] = f"is {_times(value.shape)} in the file but {_times(tensor.shape)} by the config"
        else:
            tensor.copy_(value)
    unused = [key for key in stored if key not in own and not is_constant(key)]
    return Misfit(kept, unused, len(own) - len(kept))


def shared_names(model: nn.Module) -> dict[str, list[str]]:
    """All names of every parameter that has more than one, in the order of the state dict."""
    names = defaultdict(list)
    for key, parameter in model.named_parameters(remove_duplicate=False):
        names[id(parameter)].append(key)
    return {key: keys for keys in names.values() if len(keys) > 1 for key in keys}


def is_constant(key: str) -> bool:
    """Whether a tensor is computed when the network is built, and not learnt: the filters of Snake activations."""
    return key.rsplit(".", 1)[-1] == "filter"


def settings_behind(key: str) -> str:
    """The settings that decide whether a tensor is there and how large."""
    return next((names for pattern, names in _SETTINGS if re.match(pattern, key)), "the model section")


def _times(shape: Iterable[int]) -> str:
    return "×".join(map(str, shape)) or "one number"
