"""The life of a node's process: start, spin, and one way out that is clean and quick."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.signals import SignalHandlerOptions

from im2hands_ros.allocator import keep_freed_memory
from im2hands_ros.ros.base_node import BaseNode
from im2hands_ros.ros.collection import collect_everything
from im2hands_ros.ros.stop_signals import StopSignals, nothing


def run_process(make_node: Callable[[], BaseNode], args: Sequence[str] | None) -> NoReturn:
    """Run a node until SIGINT or SIGTERM, then end the process.

    Exit status: 0 after a signal, 1 when the node could not start or failed, 2 when a parameter
    cannot be used (`make_node` raised OSError, ValueError or ParameterException), `exit_status`
    when the node ended the process.
    """
    keep_freed_memory()
    # A signal ends the context, and everything here notices that. A KeyboardInterrupt would be a
    # second way out that can come between any two lines.
    signals = StopSignals()
    try:
        words = None if args is None else list(args)
        rclpy.init(args=words, signal_handler_options=SignalHandlerOptions.NO)
        status = 0 if signals.interrupted.is_set() else _run(make_node, signals)
    except rclpy_implementation.UnknownROSArgsError as error:
        print(f"im2hands: {error} after --ros-args: give -p name:=value", file=sys.stderr)
        status = 1
    except rclpy_implementation.RCLError as error:
        status = _refused(error)
    rclpy.try_shutdown()
    collect_everything()  # DDS entities in cycles hold shared memory that outlives the process
    # Python would take torch apart for a second, and crash if the device is still busy.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _run(make_node: Callable[[], BaseNode], signals: StopSignals) -> int:
    try:
        node = make_node()
    except (OSError, ValueError, ParameterException) as error:
        print(f"im2hands: {error}", file=sys.stderr)
        return 2
    except Exception as error:  # noqa: BLE001 - see _status_after_failure
        if rclpy.ok() and isinstance(error, rclpy_implementation.RCLError):
            return _refused(error)
        return _status_after_failure()
    signals.farewell = node.farewell
    try:
        return _spin(node)
    except Exception:  # noqa: BLE001 - see _status_after_failure
        return _status_after_failure() or node.exit_status
    finally:
        signals.farewell = nothing  # the node's DDS entities go with it
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


def _spin(node: BaseNode) -> int:
    if not node.start():
        return 1 if rclpy.ok() else 0
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    executor.spin()
    return node.exit_status


def _status_after_failure() -> int:
    """rclpy fails in many ways once a signal has ended its context; only others are failures."""
    if not rclpy.ok():
        return 0
    traceback.print_exc()
    return 1
