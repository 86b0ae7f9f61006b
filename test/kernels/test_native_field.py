"""Logits of the compiled field equal those of torch."""

import os

import pytest
import torch
from kernel_twins import (
    CLOSE,
    drawn_context,
    fully_corrected,
    image_in,
    native_twin,
    one_hand,
    points_around,
    trained,
)

from im2hands_ros.kernels.library import KernelError, available, best
from im2hands_ros.networks.compact import packing
from im2hands_ros.networks.compact.native import native_initial, native_network
from im2hands_ros.networks.compact.networks import CompactNetworks
from im2hands_ros.networks.compact.presets import CompactPreset, DecoderPreset, InitialPreset

LEVELS = sorted(available())
SCENES = {
    "two hands": lambda: drawn_context(),
    "two hands apart": lambda: drawn_context(0),
    "a left hand": lambda: drawn_context(sides=("left",)),
    "a right hand": lambda: drawn_context(sides=("right",)),
    "all corrections": lambda: fully_corrected(drawn_context()),
    "all corrections of one hand": lambda: fully_corrected(drawn_context(sides=("left",))),
}
# Neither corrections worth making nor another hand near.
UNCORRECTED = ("two hands apart", "a left hand", "a right hand")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("scene", SCENES)
@torch.no_grad()
def test_logits_equal_those_of_torch(scene, level):
    context = SCENES[scene]()
    twin, points = native_twin(available()[level], context), points_around(context)
    expected = context.initial.logits(points)
    assert (expected.abs() < 5).float().mean() > 0.2  # near the surface, where corrections are
    assert (twin.initial.logits(points) - expected).abs().max() < CLOSE
    refined = context.logits(points)
    assert (twin.logits(points) - refined).abs().max() < CLOSE
    if scene not in UNCORRECTED:
        assert (refined - expected).abs().max() > 100 * CLOSE


@torch.no_grad()
def test_one_of_two_hands_can_be_evaluated_alone():
    context = drawn_context()
    twin, points = native_twin(best(), context), points_around(context)
    together = twin.logits(points)
    for hand in range(2):
        alone = one_hand(twin, hand).logits(points[hand, None])
        assert torch.equal(alone[0], together[hand])


@torch.no_grad()
def test_the_other_hands_field_is_the_partners():
    context = drawn_context()
    twin, points = native_twin(best(), context), points_around(context)
    there = context.partner_from_palm(points)
    expected = context.other.logits(there)
    assert (twin.other.logits(there) - expected).abs().max() < CLOSE


@pytest.mark.parametrize("count", [0, 1, 15, 17, 128, 129, 1025, 5000])
@torch.no_grad()
def test_logits_depend_neither_on_threads_nor_on_other_points(count):
    context = fully_corrected(drawn_context())
    twin, points = native_twin(best(), context), points_around(context, 5000)
    every = twin.logits(points)
    threads = torch.get_num_threads()
    try:
        for number in (1, 2, 5):
            torch.set_num_threads(number)
            assert torch.equal(twin.logits(points[:, :count]), every[:, :count])
    finally:
        torch.set_num_threads(threads)


@torch.no_grad()
def test_points_far_away_are_outside_and_no_numbers_are_refused():
    context = drawn_context()
    twin = native_twin(best(), context)
    far = torch.tensor([[[1e4, 0, 0], [0, -1e30, float("inf")]]] * 2)
    assert (twin.logits(far) < -100).all()
    far[1, 0, 2] = float("nan")
    with pytest.raises(KernelError, match="not finite"):
        twin.logits(far)


@torch.no_grad()
def test_a_forked_process_has_threads_of_its_own():
    context = drawn_context()
    twin, points = native_twin(best(), context), points_around(context, 3000)
    field = twin.native_field
    expected = twin.logits(points)
    torch.set_num_threads(2)
    twin.logits(points)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            same = torch.equal(field(points), expected)
        finally:
            os.write(write, b"same" if same else b"other")
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        assert answer.read() == "same"
    os.waitpid(child, 0)


def test_networks_of_other_sizes_are_left_to_torch():
    wider = CompactPreset(initial=InitialPreset(decoder=DecoderPreset(width=48)))
    networks = CompactNetworks(wider, ("initial",))
    assert native_network(best(), networks.initial, None) is None
    networks.use_kernels()
    assert networks.native is None
    assert native_network(best(), trained().initial, trained().refinement)


def test_weights_without_a_refinement_have_initial_logits_alone():
    context = drawn_context()
    twin = native_twin(best(), context)
    network = native_network(best(), trained().initial, None)
    assert (
        packing.weights(trained().initial, None).size
        < packing.weights(trained().initial, trained().refinement).size
    )
    alone = native_initial(image_in(network, context.initial), context.initial)
    points = points_around(context, 100)
    assert torch.equal(alone.logits(points), twin.initial.logits(points))
    with pytest.raises(KernelError, match="no refinement"):
        alone.native_field.frame.refine(packing.anchors(context), 290)
