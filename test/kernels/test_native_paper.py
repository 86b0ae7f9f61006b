"""The published networks' layers by the library equal those in torch."""

import pytest
import torch

from im2hands_ros.evaluation.reference.octahedra import octahedra
from im2hands_ros.kernels.library import KernelError, available, best
from im2hands_ros.networks.paper.decoder import PaperBones, PaperDecoder
from im2hands_ros.networks.paper.fused import fuse
from im2hands_ros.networks.paper.image_encoder import PaperImageEncoder
from im2hands_ros.networks.paper.native import NativeAttention, NativeDecoder, use_native_layers
from im2hands_ros.networks.paper.point_transformer import AnchorEncoder
from im2hands_ros.networks.paper.presets import PaperAnchorPreset, PaperDecoderPreset
from im2hands_ros.networks.paper.vector_attention import (
    Cloud,
    ScoreLayers,
    TwoLayers,
    Whole,
    nearest,
    vector_attention,
)

BEST = max(available())
LEVELS = sorted(available())
WIDTH = 40  # no multiple of a register


def made_up(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def layers(width=WIDTH, sharp=1.0):
    """Offset and score networks; the units of sharp ones change their sign close to each other."""
    torch.manual_seed(1)
    offset, score = TwoLayers(3, width), ScoreLayers(width, width)
    with torch.no_grad():
        offset.first.weight.mul_(sharp)
        score.first.weight.mul_(2)
        score.second.weight.mul_(10)
    return offset.requires_grad_(False), score.requires_grad_(False)


def in_both(level, given, offset, score, whole=None):
    expected = vector_attention(*given, offset, score, whole)
    score.native = NativeAttention(available()[level], offset, score)
    found = vector_attention(*given, offset, score, whole)
    score.native = None
    assert expected.shape == found.shape and expected.std() > 0.1
    return (expected - found).abs().max() / expected.abs().max()


def attending(points, anchors, near, width=WIDTH, one_query=False, extent=0.05):
    positions, places = (extent * made_up(2, count, 3, seed=count) for count in (points, anchors))
    cloud = Cloud(places, made_up(2, anchors, width, seed=3), made_up(2, anchors, width, seed=4))
    queries = made_up(2, 1 if one_query else points, width, seed=5)
    return positions, queries, cloud, nearest(positions, places, near)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("sharp", [0.01, 1, 10, 1000])
def test_one_query_of_all_points_attends_the_same(level, sharp):
    whole = Whole(made_up(2, WIDTH, seed=6), made_up(2, WIDTH, seed=7))
    given = attending(500, 30, 5, one_query=True)
    assert in_both(level, given, *layers(sharp=sharp), whole) < 1e-4
    assert in_both(level, given, *layers(sharp=sharp)) < 1e-4


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("sharp", [0.01, 1, 10, 1000])
def test_a_query_per_point_attends_the_same(level, sharp):
    assert in_both(level, attending(300, 60, 16), *layers(sharp=sharp)) < 1e-4


@pytest.mark.parametrize(
    ("points", "anchors", "near"), [(1, 1, 1), (2, 9, 9), (33, 200, 130), (700, 3, 2)]
)
def test_any_numbers_of_points_and_neighbours_attend_the_same(points, anchors, near):
    for one_query in (True, False):
        given = attending(points, anchors, near, one_query=one_query)
        assert in_both(BEST, given, *layers()) < 1e-4


@pytest.mark.parametrize("width", [16, 17, 120, 200])
def test_any_width_attends_the_same(width):
    given = attending(200, 40, 9, width, one_query=True)
    assert in_both(BEST, given, *layers(width)) < 1e-4


@pytest.mark.parametrize("extent", [1e-6, 0.0, 10.0])
def test_points_all_in_one_place_or_far_apart_attend_the_same(extent):
    given = attending(100, 20, 9, one_query=True, extent=extent)
    assert in_both(BEST, given, *layers(sharp=0.01)) < 1e-4


def test_units_at_their_hinge_attend_the_same():
    offset, score = layers()
    with torch.no_grad():  # exactly 0 for all points
        offset.first.weight[::2] = 0
        offset.first.bias[::2] = 0
    assert in_both(BEST, attending(200, 40, 9, one_query=True), offset, score) < 1e-4


def test_anchors_equal_those_of_torch():
    torch.manual_seed(2)
    network = AnchorEncoder(PaperAnchorPreset(), 34).eval().requires_grad_(False)
    positions, features = 0.1 * made_up(2, 512, 3), made_up(2, 512, 34)
    expected = network(positions, features)
    use_native_layers(network, best())
    for a, b in zip(expected, network(positions, features), strict=True):
        assert (a - b).abs().max() < 1e-5 * a.abs().max()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("count", [1, 9, 64])
def test_nearest_points_are_the_same(level, count):
    centres, places = made_up(2, 700, 3), made_up(2, 128, 3, seed=1)
    native = NativeAttention(available()[level], *layers())
    expected = nearest(centres, places, count).sort(-1).values
    assert torch.equal(expected, native.nearest(centres, places, count).long().sort(-1).values)


def decoder_inputs(count, seed=0):
    bones = PaperBones(made_up(2, 16, 3, 64, seed=1), made_up(2, 16, 1, 64, seed=2))
    return 0.1 * made_up(2, count, 3, seed=seed), bones, made_up(2, count, 19, seed=4)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("count", [1, 31, 600])
def test_a_decoder_gives_the_same_logits(level, count):
    torch.manual_seed(3)
    decoder = PaperDecoder(PaperDecoderPreset(), 19).requires_grad_(False)
    given = decoder_inputs(count)
    expected = decoder(*given)
    decoder.native = NativeDecoder(available()[level], decoder)
    assert (expected - decoder(*given)).abs().max() < 1e-5 * expected.abs().max()


def test_reduced_precision_stays_in_torch():
    offset, score = layers()
    given = attending(20, 9, 4)
    score.native = NativeAttention(best(), offset, score)
    with torch.autocast("cpu", torch.bfloat16):
        assert vector_attention(*given, offset, score).dtype == torch.bfloat16


def test_threads_do_not_matter():
    offset, score = layers()
    given, threads, found = attending(2000, 40, 9, one_query=True), torch.get_num_threads(), []
    score.native = NativeAttention(best(), offset, score)
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            found.append(vector_attention(*given, offset, score))
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:  # torch's own products of the keys depend on its threads
        assert (found[0] - other).abs().max() < 1e-5 * found[0].abs().max()


def test_positions_that_are_no_numbers_are_refused():
    offset, score = layers()
    positions, queries, cloud, near = attending(20, 9, 4)
    positions[1, 3, 0] = float("nan")
    score.native = NativeAttention(best(), offset, score)
    with pytest.raises(KernelError, match="not finite"):
        vector_attention(positions, queries, cloud, near, offset, score)


def test_an_encoder_in_one_pass_gives_the_same_features():
    torch.manual_seed(4)
    encoder = PaperImageEncoder().eval().requires_grad_(False)
    encoder.to(memory_format=torch.channels_last)
    for part in encoder.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.weight.uniform_(0.5, 1.5)
            part.bias.normal_(0, 0.1)
    images = [torch.rand(count, 3, 256, 256) for count in (1, 2, 1)]
    with torch.inference_mode():
        expected = [encoder(image) for image in images]
        fuse(encoder)
        found = [encoder(image) for image in images]
    for a, b in zip(expected, found, strict=True):
        for one, other in zip(a.heat + a.dense, b.heat + b.dense, strict=True):
            assert (one - other).abs().max() < 1e-4 * one.abs().max()


def test_all_networks_use_the_library():
    network = octahedra(0.05)
    use_native_layers(network, best())
    natives = [getattr(part, "native", None) for part in network.modules()]
    assert sum(isinstance(it, NativeDecoder) for it in natives) == 2
    # One each of the queries, the first points and the last blocks, three of each level.
    assert sum(isinstance(it, NativeAttention) for it in natives) == 1 + 1 + 3 + 2 * 3
