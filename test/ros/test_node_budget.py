"""`latency_budget_ms` and memory, as the running node's diagnostics tell them."""

from __future__ import annotations

import itertools
import time

from node_process import PATIENCE
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter


def test_resolution_steps_down_and_back_up_and_diagnostics_say_so(start, connect):
    client = connect(
        start("latency_budget_ms:=40.0", "resolution:=128", options=("--cost", "0.01"))
    )
    stamps = itertools.count(10)

    def send_until(value: int, resolution: str) -> None:
        deadline = time.monotonic() + PATIENCE
        for stamp in stamps:
            client.send_frame(stamp, value=value)
            client.wait_for_frame(stamp)
            if client.diagnosed("resolution") == resolution:
                return
            assert time.monotonic() < deadline, client.diagnosed("resolution")

    send_until(200, "64")  # 20 ms at 64 cells, 45 ms at 96
    assert "resolution 64 instead of 128 to keep to latency_budget_ms (40)" in client.verdict
    send_until(20, "128")
    client.diagnostics()
    assert "resolution" not in client.verdict


def test_the_budget_may_be_lifted_while_running(start, connect):
    client = connect(start("latency_budget_ms:=5.0", options=("--cost", "0.02")))
    for stamp in range(10, 30):
        client.send_frame(stamp)
        client.wait_for_frame(stamp)
    assert client.diagnostics()["resolution"] == "32"
    lift = Parameter("latency_budget_ms", value=0.0).to_parameter_msg()
    request = SetParameters.Request(parameters=[lift])
    assert client.call(SetParameters, "im2hands/set_parameters", request).results[0].successful
    client.send_frame(40)
    client.wait_for_frame(40)
    assert client.diagnostics()["resolution"] == "64"


def test_memory_of_the_process_is_reported(client):
    assert 20 < int(client.diagnostics()["memory.process_mib"]) < 2000
