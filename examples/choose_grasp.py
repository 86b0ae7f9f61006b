"""The safest of several grasps beside a person's hands, by the service `query_occupancy`.

    ros2 launch im2hands_ros demo.launch.py     # or your own camera and tracker
    python examples/choose_grasp.py

Each grasp is a parallel gripper at a pose in the camera's frame. Points are sampled on its two
boxes and on ever larger ones around them; the largest that no hand reaches is the clearance. One
request evaluates all points of all grasps in one frame's field, so they are compared with the same
hands. `--grasp=x,y,z,yaw` (metres, radians; repeatable) replaces the made-up ones; ROS arguments
come last, as in `--ros-args -r query_occupancy:=/left_arm/query_occupancy`.
"""

from __future__ import annotations

import argparse
import array
import sys
from dataclasses import dataclass

import numpy as np

MARGINS = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08)  # metres
SPACING = 0.007  # metres between samples: half of a finger's width
OCCUPIED = 0.5
_TIMEOUT = 10.0  # seconds

# A gripper that closes along x and points along z, centre and size in metres: its palm; its fingers
# and all that is between them, where a hand would be squeezed.
GRIPPER = (
    ((0.0, 0.0, -0.06), (0.10, 0.03, 0.04)),
    ((0.0, 0.0, -0.02), (0.10, 0.02, 0.04)),
)


@dataclass(frozen=True)
class Grasp:
    """Where the fingers close: position, metres, and turn about z, both in the camera's frame."""

    position: tuple[float, float, float]
    yaw: float

    def in_camera(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) points of the gripper's frame in the camera's."""
        cosine, sine = np.cos(self.yaw), np.sin(self.yaw)
        turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
        return points @ turn.T + self.position


def gripper_points(margin: float) -> np.ndarray:
    """(N, 3) samples of the boxes' surfaces, each box grown by `margin` on all sides; metres.

    Surfaces are enough: a hand is larger than the gripper and in one piece, so it cannot be inside
    without passing through one.
    """
    parts = []
    for centre, size in GRIPPER:
        half = np.array(size) / 2 + margin
        axes = [np.linspace(-h, h, int(np.ceil(2 * h / SPACING)) + 1) for h in half]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        on_a_side = np.isclose(np.abs(grid), half).any(axis=1)
        parts.append(grid[on_a_side] + centre)
    return np.concatenate(parts)


def query_points(grasps: list[Grasp]) -> list[np.ndarray]:
    """(N, 3) float32 points for each margin of each grasp, in the order of `clearances`."""
    grown = [gripper_points(margin) for margin in MARGINS]
    return [grasp.in_camera(points).astype(np.float32) for grasp in grasps for points in grown]


def clearances(queries: list[np.ndarray], occupancy: np.ndarray) -> list[float | None]:
    """Metres around each grasp's gripper that are free; None where a hand is in the gripper.

    Args:
        queries: as `query_points` returns them.
        occupancy: of all those points in a row, the larger of both hands'.
    """
    ends = np.cumsum([len(points) for points in queries])[:-1]
    free = [bool(part.max() < OCCUPIED) for part in np.split(occupancy, ends)]
    found: list[float | None] = []
    for start in range(0, len(free), len(MARGINS)):
        reached = list(free[start : start + len(MARGINS)])
        steps = reached.index(False) if False in reached else len(MARGINS)
        found.append(MARGINS[steps - 1] if steps else None)
    return found


def safest(found: list[float | None]) -> int | None:
    """The number of the grasp with most clearance, the first of equals; None if all collide."""
    free = [number for number, clearance in enumerate(found) if clearance is not None]
    return max(free, key=lambda number: found[number] or 0.0, default=None)


def evaluate(points: np.ndarray, ros_arguments: list[str]) -> np.ndarray:
    """The larger of both hands' occupancy at (N, 3) points of the camera's frame: (N,)."""
    import rclpy
    from im2hands_ros.srv import QueryOccupancy

    rclpy.init(args=ros_arguments)
    node = rclpy.create_node("choose_grasp")
    try:
        client = node.create_client(QueryOccupancy, "query_occupancy")
        if not client.wait_for_service(_TIMEOUT):
            sys.exit(f"{client.service_name}: no such service after {_TIMEOUT:g} s: start the node")
        request = QueryOccupancy.Request(points=array.array("f", points.astype("<f4").tobytes()))
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future, timeout_sec=_TIMEOUT)
        if not future.done():
            sys.exit(f"{client.service_name}: no response in {_TIMEOUT:g} s")
        response = future.result()
        if not response.success:
            sys.exit(f"{client.service_name}: {response.message}")
        return np.maximum(response.left, response.right)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def main() -> None:
    """Rank the grasps and name the safest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--grasp", action="append", metavar="X,Y,Z,YAW")
    arguments = sys.argv[1:]
    split = arguments.index("--ros-args") if "--ros-args" in arguments else len(arguments)
    args = parser.parse_args(arguments[:split])
    given = [tuple(map(float, text.split(","))) for text in args.grasp or ()]
    grasps = [Grasp(values[:3], values[3]) for values in given] or [
        Grasp((x, 0.0, 0.5), yaw) for x in (-0.2, 0.0, 0.2) for yaw in (0.0, np.pi / 2)
    ]
    queries = query_points(grasps)
    found = clearances(queries, evaluate(np.concatenate(queries), arguments[split:]))
    for grasp, clearance in zip(grasps, found, strict=True):
        result = "in a hand" if clearance is None else f"{1e3 * clearance:.0f} mm free around it"
        print(f"grasp at {grasp.position}, yaw {grasp.yaw:.2f}: {result}")
    best = safest(found)
    print("safest: none" if best is None else f"safest: number {best}")


if __name__ == "__main__":
    main()
