"""The compact networks' field and the surface search on a GPU, without waiting for it in between.

Every step has arrays of fixed size whose counts stay on the device, so that a frame's work can be
recorded as CUDA graphs (`graph`) and the host reads one result at the end. Everything but the
Triton kernels is plain torch that runs the same way on a CPU, where it is tested.
"""
