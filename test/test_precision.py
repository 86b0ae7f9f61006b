"""The dtype that a setting means on a device, in use and in training."""

import pytest
import torch

from im2hands_ros.precision import Precision, autocast_disabled, inference_dtype, training_dtype

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_automatic_precision_is_exact_on_a_cpu_and_the_networks_choice_on_a_gpu():
    assert inference_dtype("auto", CPU) is torch.float32
    assert inference_dtype("auto", GPU) is torch.bfloat16
    assert inference_dtype("auto", GPU, on_gpu="fp32") is torch.float32
    assert inference_dtype("fp16", CPU) is torch.float16


def test_half_precision_is_refused_where_it_has_no_use():
    assert training_dtype("bf16", CPU) is torch.bfloat16
    assert training_dtype("auto", CPU) in (torch.bfloat16, torch.float32)
    with pytest.raises(ValueError, match="precision 'fp16' is for GPUs: use auto, bf16 or fp32"):
        training_dtype("fp16", CPU)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_products_are_in_the_chosen_dtype_unless_a_block_says_otherwise(dtype):
    a = torch.ones(2, 2)
    with Precision(CPU, dtype).autocast():
        assert (a @ a).dtype is dtype
        with autocast_disabled(a):
            assert (a @ a).dtype is torch.float32
