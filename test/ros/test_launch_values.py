"""Parameters, arguments and clocks as they are given at the start: named where they are wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest
from harness import ANALYTIC_NODE, Client
from rosgraph_msgs.msg import Clock

from im2hands_ros.ros.base_node import declare_parameters
from im2hands_ros.ros.parameters import Settings


def refusal(*arguments: str) -> tuple[int, str]:
    """Exit status and last line of a node that does not start."""
    command = [sys.executable, ANALYTIC_NODE, "--ros-args", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-p", "resolution:=high"), "'resolution' to 'high' of type 'STRING'"),
        (("-p", "sync_slop:=0"), "to '0' of type 'INTEGER', expecting type 'DOUBLE'"),
        (("--resolution", "32"), "--resolution"),
    ],
)
def test_what_is_given_wrongly_at_the_start_is_named_in_a_line(arguments, said):
    status, line = refusal(*arguments)
    assert status in (1, 2) and line.startswith("im2hands: ")
    assert said in line and ": give " in line


@pytest.mark.parametrize(
    ("given", "said"),
    [("resolutoin", "resolution"), ("syncslop", "sync_slop"), ("other_node_rate", "")],
)
def test_a_misspelt_parameter_is_named_and_another_node_s_is_not(monkeypatch, given, said):
    import rclpy
    from rclpy.parameter import Parameter

    lines: list[str] = []
    node = rclpy.create_node("misspelt", parameter_overrides=[Parameter(given, value=32)])
    logger = node.get_logger()
    monkeypatch.setattr(type(logger), "warning", lambda self, text: lines.append(text))
    assert declare_parameters(node, Settings) == Settings()
    node.destroy_node()
    expected = f"parameter '{given}' is given, but there is none of this name: set '{said}'"
    assert lines == ([expected] if said else [])


def tell(client: Client, publisher: object, seconds: float) -> None:
    message = Clock()
    message.clock.sec = int(seconds)
    publisher.publish(message)
    client.spin(0.2)


def test_simulated_time_may_jump_forth_and_back(start, connect):
    process = start("use_sim_time:=true", "max_age:=1.0", options=())
    client = connect(process)
    clock = client.node.create_publisher(Clock, "/clock", 10)
    client.wait_until(lambda: clock.get_subscription_count() > 0, "the clock's subscriber")
    # On, an hour forth, back to before the beginning as a bag that loops, and a standstill.
    for now in (100, 3700, 50, 50):
        tell(client, clock, now)
        stamps = [now - 0.5 + i / 10 for i in range(5)]
        for stamp in stamps:
            client.send_frame(stamp)
            client.spin(0.05)
        client.wait_for_frame(stamps[-1])
        client.received["meshes"].clear()
    tell(client, clock, 60)
    client.send_frame(51.0)
    process.wait_for_log("a frame is 9 s old: set use_sim_time for bags, or raise max_age")
    client.wait_until(lambda: client.count("dropped.too_old") == 1, "the count")
