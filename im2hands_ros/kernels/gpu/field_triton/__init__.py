"""The compact networks' field as one Triton kernel; imports Triton."""

from im2hands_ros.kernels.gpu.field_triton.kernel import logits_kernel

__all__ = ["logits_kernel"]
