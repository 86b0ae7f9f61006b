"""The example that calls `query_occupancy`, run as a user runs it beside a live node."""

from __future__ import annotations

import os
import subprocess
import sys

from harness import ROOT, NodeProcess, hand


def test_the_grasp_away_from_the_hands_is_chosen(start, connect) -> None:
    node: NodeProcess = start()
    client = connect(node)
    client.send_frame(1.0)
    client.wait_for_frame(1.0)
    x, y, z = hand("right")[9].tolist()  # the middle knuckle: the analytic model has a ball there
    command = [sys.executable, str(ROOT / "examples/choose_grasp.py"), f"--grasp={x},{y},{z},0"]
    command += ["--grasp=0.0,-0.3,0.5,0.5", "--ros-args", "-r", f"__ns:={node.namespace}"]
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as running:
        stamp = 1.1
        while running.poll() is None:  # a field lives 2 s, a query reads the latest
            client.send_frame(stamp)
            client.spin(0.2)
            stamp = round(stamp + 0.1, 1)
            assert stamp < 30, "the example does not end"
        lines = running.stdout.read().splitlines()
    assert running.returncode == 0, lines
    assert lines[0].endswith("in a hand") and lines[1].endswith("80 mm free around it")
    assert lines[-1] == "safest: number 1"
