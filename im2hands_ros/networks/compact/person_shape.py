"""A person's flesh in the articulated decoder, beyond what the joints say of it.

A constant step of the hand's code, and a constant thickness of each bone: both are biases of the
decoder, so every implementation of it has them once they are in its weights, and at no cost.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from im2hands_ros.hand_calibration import HandShape
from im2hands_ros.networks.compact.articulated_decoder import LENGTH_UNIT, ArticulatedDecoder


def fingerprint(decoder: ArticulatedDecoder) -> str:
    """Of the weights that give a hand's code its meaning, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in (decoder.code_to_bias.weight, decoder.code_to_bias.bias, decoder.last):
        digest.update(part.detach().float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def changed_parameters(
    decoder: ArticulatedDecoder, code: Tensor, thickness: Tensor
) -> dict[str, Tensor]:
    """The decoder's parameters that differ for a person, differentiable.

    Args:
        code: (C,) added to every hand's code.
        thickness: (20,) metres added around the bones.
    """
    linear = decoder.code_to_bias
    return {
        "code_to_bias.bias": linear.bias.detach() + linear.weight.detach() @ code,
        "radius": decoder.radius.detach() + thickness / LENGTH_UNIT,
    }


def take_shape(decoder: ArticulatedDecoder, shape: HandShape) -> None:
    """From now on the hands are this person's.

    Raises:
        ValueError: a shape of other weights.
    """
    own = fingerprint(decoder)
    if shape.fingerprint != own or len(shape.code) != decoder.code_to_bias.in_features:
        raise ValueError(
            f"the calibration's shape was made with other weights ({shape.fingerprint}, these are "
            f"{own}): run im2hands calibrate again with these, or load those"
        )
    code, thickness = (
        torch.as_tensor(values, dtype=torch.float32, device=decoder.radius.device)
        for values in (shape.code, shape.thickness)
    )
    with torch.no_grad():
        for name, value in changed_parameters(decoder, code, thickness).items():
            decoder.get_parameter(name).copy_(value)
