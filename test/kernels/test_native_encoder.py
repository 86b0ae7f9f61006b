"""The image encoder by the library equals the one in torch."""

import pytest
import torch
from kernel_twins import trained
from torch import nn

from im2hands_ros.kernels.library import KernelError, available, best
from im2hands_ros.networks.compact.image_encoder import ImageEncoder
from im2hands_ros.networks.compact.native_encoder import NativeEncoder
from im2hands_ros.networks.compact.presets import COMPACT


def random_encoder():
    torch.manual_seed(4)
    encoder = ImageEncoder(COMPACT.initial.encoder).eval().requires_grad_(False)
    for part in encoder.modules():  # norms that do nothing would hide mistakes
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            part.weight.uniform_(0.5, 1.5)
            part.bias.normal_()
    return encoder


def images(count=2):
    side = COMPACT.initial.encoder.image_size
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1))


def assert_same(encoder, native):
    pictures = images()
    with torch.no_grad():
        expected, found = encoder(pictures), native(pictures)
    for name, a, b in zip(expected._fields, expected, found, strict=True):
        assert a.shape == b.shape, name
        assert (a - b).abs().max() < 1e-5 * a.abs().max(), name
        assert a.abs().max() > 0.1 and (a[0] - a[1]).abs().max() > 0.1, name


@pytest.mark.parametrize("level", sorted(available()))
def test_features_equal_those_of_torch(level):
    encoder = random_encoder()
    assert_same(encoder, NativeEncoder(available()[level], encoder))


def test_features_of_the_packaged_weights_equal_those_of_torch():
    encoder = trained().initial.encoder
    assert_same(encoder, NativeEncoder(best(), encoder))


def test_threads_do_not_matter():
    encoder, threads, found = trained().initial.encoder, torch.get_num_threads(), []
    native = NativeEncoder(best(), encoder)
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            found.append(native(images()))
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        assert all(map(torch.equal, found[0], other))


def test_other_sizes_and_no_numbers_are_refused():
    native = NativeEncoder(best(), trained().initial.encoder)
    with pytest.raises(ValueError, match="192"):
        native(torch.zeros(1, 3, 96, 96))
    with pytest.raises(KernelError, match="not finite"):
        native(torch.full((1, 3, 192, 192), float("nan")))
