"""The viewer's parameters.

`python -m im2hands_ros.ros.viewer.settings` prints the table of `docs/browser-view.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

from im2hands_ros.parameter_schema import (
    ParameterSchema,
    image_transport,
    parameter,
    print_parameters,
)


@dataclass(frozen=True)
class ViewerSettings(ParameterSchema):
    """Values of all parameters, checked; raises ValueError for one that cannot be used."""

    host: str = parameter(
        "127.0.0.1", "address to serve on; 0.0.0.0: everybody on the network can watch"
    )
    port: int = parameter(
        8080, "first port to try; the next free one when it is taken", range=(1, 65535)
    )
    max_rate: float = parameter(
        10.0, "updates of the page at most; the newest messages win", unit="Hz", range=(0.1, 60.0)
    )
    image_transport: str = image_transport()
    node: str = parameter("im2hands", "node whose diagnostics are shown")
    announce: bool = parameter(False, "print a JSON line with the URL on standard output")


if __name__ == "__main__":
    print_parameters(ViewerSettings)
