"""The shipped node on a device that is short of memory, and nodes with weights that are none.

    python faulty_networks.py memory POINTS [--ros-args ...]
    python faulty_networks.py weights FILE... [--ros-args ...]

`memory`: networks that evaluate more than POINTS points at once, or encode a white picture,
run out of memory. `weights`: one node for each file, in the namespaces `/file0`, `/file1`, ...,
whatever the arguments are, and not yet configured.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import torch

from im2hands_ros.scene import Scene

MEMORY = "memory"


def short_of_memory(model: Any, room: int) -> Any:
    """The model, with networks that have room for so many points."""
    encoder = model.networks.initial.encoder
    encode, evaluate = encoder.forward, Scene._logits

    def encoding(pixels: torch.Tensor) -> Any:
        if pixels.max() > 0.9:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return encode(pixels)

    def evaluating(scene: Scene, points: torch.Tensor, context: Any) -> torch.Tensor:
        if points.shape[1] > room:
            raise torch.OutOfMemoryError(f"CUDA out of memory. {points.shape[1]} points")
        return evaluate(scene, points, context)

    encoder.forward, Scene._logits = encoding, evaluating
    return model


def run_with_little_memory(room: int, args: list[str]) -> None:
    from im2hands_ros.ros.device import load_im2hands
    from im2hands_ros.ros.node import main

    os.environ["IM2HANDS_KERNELS"] = "torch"  # as on a GPU; the compiled kernels need little memory
    main(args, lambda settings: short_of_memory(load_im2hands(settings), room))


def run_with_weights(files: list[str]) -> None:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.parameter import Parameter

    from im2hands_ros.ros.node import Im2HandsNode

    rclpy.init(args=[])
    executor = SingleThreadedExecutor()
    for number, file in enumerate(files):
        overrides = [
            Parameter("weights", value=file),
            Parameter("auto_activate", value=False),
            Parameter("device", value="cpu"),
            Parameter("resolution", value=32),
        ]
        executor.add_node(Im2HandsNode(namespace=f"file{number}", parameter_overrides=overrides))
    print("waiting", flush=True)
    executor.spin()


if __name__ == "__main__":
    if sys.argv[1] == MEMORY:
        run_with_little_memory(int(sys.argv[2]), [sys.argv[0], *sys.argv[3:]])
    else:
        run_with_weights(sys.argv[2 : sys.argv.index("--ros-args")])
