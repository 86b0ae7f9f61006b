"""Networks on their device: what evaluates them there, and which of their stages run."""

from __future__ import annotations

from typing import Any

import torch

from im2hands_ros.networks.protocol import HandNetworks
from im2hands_ros.precision import Precision


class LoadedNetworks:
    """Networks that run on one device, from one thread.

    Attributes:
        networks: of the preset, on the device. device: theirs.
        record: of the making of the weights.
    """

    def __init__(
        self,
        networks: HandNetworks[Any, Any],
        device: torch.device,
        dtype: torch.dtype,
        record: dict[str, Any],
    ) -> None:
        networks.to(device).eval().requires_grad_(False)
        for encoder in networks.encoders:
            encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.networks, self.device, self.record = networks, device, record
        self._precision = Precision(device, dtype)
        if device.type == "cpu" and dtype is torch.float32:
            networks.use_kernels()
        if networks.kernels == "torch":
            networks.use_device_kernels(device, dtype)
        self._switches = {name: name in self.stages for name in ("keypoints", "refinement")}

    @property
    def stages(self) -> tuple[str, ...]:
        """What the weights hold, of ``initial``, ``keypoints`` and ``refinement``."""
        return self.networks.stages

    @property
    def kernels(self) -> str:
        """What evaluates the fields: ``native`` (`im2hands_ros.kernels`), ``triton`` on a GPU, or
        ``torch``."""
        return self.networks.kernels

    @property
    def can_use_depth(self) -> bool:
        """Whether ``encode`` takes depth images: the logits are depths under the skin."""
        return self.networks.depth_unit is not None

    @property
    def refine_keypoints(self) -> bool:
        """Whether the given keypoints are refined first. May be set at any time.

        Raises ValueError when set without weights for it.
        """
        return self._switches["keypoints"]

    @refine_keypoints.setter
    def refine_keypoints(self, value: bool) -> None:
        self._switch("keypoints", value, "refine_keypoints")

    @property
    def refine_occupancy(self) -> bool:
        """Whether two hands' occupancies are refined together. May be set at any time.

        Raises ValueError when set without weights for it.
        """
        return self._switches["refinement"]

    @refine_occupancy.setter
    def refine_occupancy(self, value: bool) -> None:
        self._switch("refinement", value, "refine_occupancy")

    def _switch(self, stage: str, value: bool, name: str) -> None:
        if value and stage not in self.stages:
            raise ValueError(
                f"{name} is true, but the weights hold {', '.join(self.stages)} alone: "
                f"load weights with the stage '{stage}' or set it to false"
            )
        self._switches[stage] = value


def choose_device(name: str) -> torch.device:
    """The torch device of a ``device`` setting. Raises ValueError when it cannot be had."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = name.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise ValueError(f"device '{name}' is unknown: use auto, cpu or cuda[:n]")
    if kind == "cuda":
        device = torch.device(name)
        if (device.index or 0) >= torch.cuda.device_count():
            raise ValueError(
                f"device '{name}' is not there ({torch.cuda.device_count()} GPUs found): "
                "use 'auto' or 'cpu', or check the driver"
            )
    return torch.device(name)
