"""Published checkpoints (PyTorch files) to our networks' tensors, without running their pickles.

A published file is read with ``weights_only``: only tensors, containers and the few numpy scalars
that the trainer left in it are let in; anything else in the file is refused by name.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from im2hands_ros.networks.checkpoints import check_size
from im2hands_ros.networks.paper.networks import NETWORKS
from im2hands_ros.networks.paper.official_names import is_dead, official_names
from im2hands_ros.skeleton import SIDES

# A bone's third layer without image columns, as plain HALO has it.
_PLAIN_SHAPE = (64, 64)
_BONE_THIRD_LAYER = re.compile(r"_decoder\.lin\d+_2\.weight$")


@dataclass(frozen=True)
class Layout:
    """A kind of published file.

    Attributes:
        marker: a file that has an official name with this in it is of this kind.
        network: which published network the tensors are of, a key of ``NETWORKS``.
        places: our names start with one of these; "" means all of the network.
        rename: official names in the network for a name in the file; none for what is left out.
    """

    marker: str
    network: str
    places: tuple[str, ...] = ("",)
    rename: Callable[[str], list[str]] = lambda name: [name]


def _halo_names(name: str) -> list[str]:
    """Both hands start from the same single-hand decoder."""
    found = re.search(r"decoder\.(.*)", name)
    return [f"{side}_decoder.{found[1]}" for side in SIDES] if found else []


def _intaghand_names(name: str) -> list[str]:
    prefix, found, rest = name.partition("module.encoder.")
    return [f"image_encoder.{rest}"] if found and not prefix else []


# In this order: the refinement network holds a whole initial one.
LAYOUTS = {
    "ref_occ": Layout("trans_dec.", "ref_occ"),
    "kpts_ref": Layout("gcn_layers.", "kpts_ref"),
    "init_occ": Layout("img_ex_left.", "init_occ"),
    "intaghand_baseline": Layout("module.encoder.", "init_occ", ("encoder.",), _intaghand_names),
    "halo_baseline": Layout(
        "decoder.lin0_0", "init_occ", tuple(f"hands.{side}.decoder." for side in SIDES), _halo_names
    ),
}


@dataclass
class ConvertedCheckpoint:
    """Our tensors of one official file, and every official name that did not find its place.

    Attributes:
        tensors: by our names.
        dropped: official parameters that never influence a result.
        widened: official layers to which zero image columns were added.
        ignored: names in the file that are of no network of ours (other parts of IntagHand, HALO).
        missing, unexpected: official names; empty when all fits.
        unfit: official names with what is wrong with their tensors; empty when all fits.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    widened: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """One phrase per official name that did not find its place."""
        return (
            [f"missing {name}" for name in self.missing]
            + [f"unexpected {name}" for name in self.unexpected]
            + self.unfit
        )


def read_official(path: Path) -> tuple[str, dict[str, Tensor]]:
    """Read a published PyTorch file.

    Returns:
        Its kind, a key of ``LAYOUTS``, recognised by its names; its tensors by official names.

    Raises:
        FileNotFoundError: no such file.
        ValueError: too large, damaged, no published checkpoint, or with something in it that is
            neither a tensor nor a number. Nothing in the file is ever executed.
    """
    check_size(path)
    content = _unpickle(path)
    tensors = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in tensors.items()
    ):
        raise ValueError(f"{path} holds no state dict: give one of {', '.join(LAYOUTS)}")
    for kind, layout in LAYOUTS.items():
        if any(layout.marker in name for name in tensors):
            return kind, tensors
    raise ValueError(f"{path} is none of the published networks: give {', '.join(LAYOUTS)}")


def convert_file(kind: str, tensors: Mapping[str, Tensor]) -> ConvertedCheckpoint:
    """Sort the tensors of a published file of this kind (a key of ``LAYOUTS``) into our places."""
    layout = LAYOUTS[kind]
    official: dict[str, Tensor] = {}
    ignored = []
    for name, tensor in tensors.items():
        names = layout.rename(name)
        official |= dict.fromkeys(names, tensor)
        if not names:
            ignored.append(name)
    with torch.device("meta"):
        network = NETWORKS[layout.network]()
    result = convert(layout.network, network, official, layout.places)
    result.ignored = ignored
    return result


def convert(
    network_name: str,
    network: nn.Module,
    official: Mapping[str, Tensor],
    places: tuple[str, ...] = ("",),
) -> ConvertedCheckpoint:
    """Sort official tensors into the places of a network.

    Args:
        network_name: which names the tensors have, a key of ``official_names.TREES``.
        network: ours of that kind; only the names and shapes of its tensors are read.
        official: tensors by their official names.
        places: starts of our names that are to be filled; "" for all.
    """
    result = ConvertedCheckpoint()
    used = set()
    for name, like in network.state_dict().items():
        if not name.startswith(places):
            continue
        parts = official_names(network_name, name)
        shape = tuple(like.shape if len(parts) == 1 else like.shape[1:])
        used.update(parts)
        found = [_fit(part, official.get(part), shape, result) for part in parts]
        fitting = [tensor for tensor in found if tensor is not None]
        if len(fitting) == len(parts):
            stacked = fitting[0] if len(parts) == 1 else torch.stack(fitting)
            result.tensors[name] = stacked.to(like.dtype).contiguous()
    for name in official.keys() - used:
        (result.dropped if is_dead(name) else result.unexpected).append(name)
    return result


def _fit(
    name: str, tensor: Tensor | None, shape: tuple[int, ...], result: ConvertedCheckpoint
) -> Tensor | None:
    """The tensor in our shape, or None and a note of the problem."""
    if tensor is None:
        result.missing.append(name)
        return None
    have = tuple(tensor.shape)
    if not torch.isfinite(tensor).all():
        result.unfit.append(f"{name} has non-finite values")
        return None
    # Published 1x1 convolutions over points are our linear layers.
    if have in (shape, (*shape, 1)):
        return tensor.reshape(shape)
    if have == _PLAIN_SHAPE and _BONE_THIRD_LAYER.search(name):
        # No image columns yet: zeros there keep plain HALO's logits.
        result.widened.append(name)
        return torch.cat([tensor, tensor.new_zeros(shape[0], shape[1] - have[1])], dim=1)
    result.unfit.append(f"{name} is {have}, needs {shape}")
    return None


def _unpickle(path: Path) -> Any:
    """Load with the narrow allow-list: tensors, containers and numpy's floats."""
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_allowed()):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"it asks for {named[1]}" if named else "it is no plain PyTorch file"
        raise ValueError(
            f"{path} may hold more than tensors ({what}): refused, nothing was executed"
        ) from None
    except (RuntimeError, OSError, EOFError, LookupError, AttributeError, TypeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"{path} is not a complete PyTorch file ({reason}): copy it again"
        ) from None


def _allowed() -> list[Any]:
    """The trainer left its best loss in the files as a numpy scalar, by numpy's old module name."""
    scalar = np.float64(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    kinds = [type(np.dtype(kind)) for kind in (np.float64, np.float32)]
    return [*((scalar, name) for name in names), np.dtype, *kinds]
