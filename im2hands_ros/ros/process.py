"""The life of a node's process: start, spin, and one way out that is clean and quick."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation

from im2hands_ros.allocator import keep_freed_memory


class Startable(Protocol):
    """A node that can be started and closed."""

    def start(self) -> bool:
        """Begin to work; whether it could."""

    def close(self) -> None:
        """Stop everything."""

    def destroy_node(self) -> None:
        """Leave the graph."""


def run_process(make_node: Callable[[], Startable], args: Sequence[str] | None) -> NoReturn:
    """Run a node until SIGINT or SIGTERM, then end the process.

    Exit status: 0 after a signal, 1 when the node could not start or failed, 2 when a parameter
    cannot be used (`make_node` raised ValueError or ParameterException).
    """
    keep_freed_memory()
    # rclpy's own handler ends the context, and everything here notices that. A KeyboardInterrupt
    # would be a second way out that can come between any two lines.
    interrupted = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        rclpy.init(args=args)
        status = 0 if interrupted.is_set() else _run(make_node)
    except rclpy_implementation.RCLError as error:
        status = _refused(error)
    rclpy.try_shutdown()
    gc.collect()  # DDS entities in reference cycles hold shared memory that outlives the process
    # Python would take torch apart for a second, and crash if the device is still busy.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _run(make_node: Callable[[], Startable]) -> int:
    try:
        node = make_node()
    except (ValueError, ParameterException) as error:
        print(f"im2hands: {error}", file=sys.stderr)
        return 2
    except Exception as error:  # noqa: BLE001 - see _status_after_failure
        if rclpy.ok() and isinstance(error, rclpy_implementation.RCLError):
            return _refused(error)
        return _status_after_failure()
    try:
        return _spin(node)
    except Exception:  # noqa: BLE001 - see _status_after_failure
        return _status_after_failure()
    finally:
        node.close()
        node.destroy_node()


def _refused(error: Exception) -> int:
    """Say in a line why the middleware does not let this process join."""
    text = " ".join(str(error).split())
    if os.environ.get("ROS_SECURITY_ENABLE", "").lower() == "true":
        text += (
            " (ROS_SECURITY_ENABLE=true: use a middleware built with security, name the keystore "
            "in ROS_SECURITY_KEYSTORE and make this node's enclave in it with 'ros2 security')"
        )
    print(f"im2hands: {text}", file=sys.stderr)
    return 1


def _spin(node: Startable) -> int:
    if not node.start():
        return 1 if rclpy.ok() else 0
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.spin()
    return 0


def _status_after_failure() -> int:
    """rclpy fails in many ways once a signal has ended its context; only others are failures."""
    if not rclpy.ok():
        return 0
    traceback.print_exc()
    return 1
