"""The plan of a training run: packaged YAML, the user's YAML over it, single values over both."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from im2hands_ros.training.batches import BatchPlan

PACKAGED = Path(__file__).resolve().parents[1] / "data" / "training"
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
P = TypeVar("P", bound="TrainingPlan")


@dataclass(frozen=True)
class TrainingPlan:
    """One training run; together with the data it decides the result.

    The comments of the files in ``PACKAGED`` say what each value means. A stage with further
    settings derives its own plan from this one.
    """

    steps: int = 12000
    learning_rate: float = 2e-3
    warm_up: int = 200
    weight_decay: float = 1e-4
    gradient_norm: float = 1.0
    average: float = 0.998
    precision: str = "auto"
    save_every: int = 250
    validate_every: int = 1000
    losses: Mapping[str, float] = field(default_factory=dict)
    batches: BatchPlan = BatchPlan()

    def __post_init__(self) -> None:
        for name in ("steps", "save_every", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision '{self.precision}' is unknown: use {', '.join(PRECISIONS)}"
            )


def read_plan(
    stage: str, kind: type[P], file: Path | None = None, changes: Mapping[str, Any] | None = None
) -> P:
    """The plan of a stage.

    Args:
        stage: whose packaged YAML to begin with.
        kind: its class of plan.
        file: YAML whose values replace packaged ones; those it does not name stay.
        changes: single values over both, by dotted name (``batches.scenes``).

    Raises:
        ValueError: a key that is not in the packaged file, or a value of another type.
        OSError: no such file.
    """
    values = _load(PACKAGED / f"{stage}.yaml")
    if file is not None:
        _merge(values, _load(file), str(file))
    for name, value in (changes or {}).items():
        *sections, last = name.split(".")
        inner = values
        for section in sections:
            inner = inner[section]
        inner[last] = value
    return _build(kind, values, str(file or f"{stage}.yaml"))


def changes_between(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two plans, each as nested values: ``steps 100 -> 200``."""
    lines = []
    for name, value in now.items():
        old = before.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            lines += [f"{name}.{line}" for line in changes_between(old, value)]
        elif _listed(old) != _listed(value):
            lines.append(f"{name} {old} -> {value}")
    return lines


def _listed(value: Any) -> Any:
    """Tuples come back from JSON as lists."""
    return list(value) if isinstance(value, tuple) else value


def _load(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds no 'name: value' lines: copy the packaged {PACKAGED}")
    return values


def _merge(values: dict[str, Any], changes: dict[str, Any], where: str, prefix: str = "") -> None:
    for name, value in changes.items():
        if name not in values:
            known = ", ".join(prefix + known for known in values)
            raise ValueError(f"{where}: key '{prefix}{name}' is unknown: use one of {known}")
        if isinstance(values[name], dict):
            if not isinstance(value, dict):
                raise ValueError(
                    f"{where}: '{prefix}{name}' is {value!r}: it needs 'name: value' lines below it"
                )
            _merge(values[name], value, where, f"{prefix}{name}.")
        else:
            values[name] = value


def _build(kind: type[Any], values: dict[str, Any], where: str, prefix: str = "") -> Any:
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    wrong = [f"unknown {prefix}{name}" for name in values.keys() - set(names)]
    wrong += [f"missing {prefix}{name}" for name in set(names) - values.keys()]
    if wrong:
        raise ValueError(f"{where}: {', '.join(sorted(wrong))}")
    return kind(**{n: _value(hints[n], values[n], where, prefix + n) for n in names})


def _value(hint: Any, value: Any, where: str, name: str) -> Any:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _build(hint, value, where, f"{name}.")
    if typing.get_origin(hint) in (dict, Mapping) or hint is Mapping:
        return {key: _value(float, inner, where, f"{name}.{key}") for key, inner in value.items()}
    if typing.get_origin(hint) is tuple and isinstance(value, list | tuple):
        inner = typing.get_args(hint)[0]
        return tuple(_value(inner, item, where, name) for item in value)
    if hint is float and isinstance(value, str | int) and not isinstance(value, bool):
        # YAML 1.1 reads 2e-3 as text.
        try:
            return float(value)
        except ValueError:
            pass
    elif isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    needed = getattr(hint, "__name__", str(hint))
    raise ValueError(f"{where}: '{name}' is {value!r}: it must be of type {needed}")
