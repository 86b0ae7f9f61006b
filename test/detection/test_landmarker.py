"""MediaPipe itself: it stays on this machine, finds rendered hands and ends without a word."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from im2hands_ros.detection import HandDetector
from im2hands_ros.detection.bundle import find_bundle, is_complete
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence


def test_the_model_that_setup_made_is_the_tested_one() -> None:
    assert is_complete(find_bundle())


@pytest.mark.parametrize("stamp", [None, 1.0], ids=["image", "frame of a video"])
def test_rendered_hands_are_found_where_they_are(stamp) -> None:
    sequence = load_demo_sequence()
    frame = sequence.frames[25]  # both hands in full view
    hands = HandDetector.load().detect(frame.image, sequence.camera, stamp=stamp)
    for side, hand in hands.items():
        true = sequence.camera.project(frame.true_keypoints[side])
        assert hand.keypoints.shape == (21, 3)
        assert np.linalg.norm(hand.keypoints_px - true, axis=1).mean() < 20
        assert 0.5 < hand.confidence <= 1


def test_usage_reports_go_nowhere_and_the_end_of_the_program_closes_the_tasks() -> None:
    """Reports go to our proxy, an address of the loopback; without it, a name server would know."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(60)
    requests = []

    def accept() -> None:
        connection, _ = listener.accept()
        with connection:
            requests.append(connection.recv(200))

    thread = threading.Thread(target=accept)
    thread.start()
    script = (
        "import sys, types, numpy\n"
        "from im2hands_ros.detection.bundle import find_bundle\n"
        "from im2hands_ros.detection.landmarker import Landmarker\n"
        "landmarker = Landmarker(find_bundle(), proxy=sys.argv[1])\n"
        "landmarker(numpy.zeros((48, 64, 3), numpy.uint8), 1.0)\n"
        "sys.modules['late'] = types.SimpleNamespace(held=landmarker)  # freed after everything\n"
    )
    proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
    done = subprocess.run(
        [sys.executable, "-c", script, proxy],
        env={**os.environ, "no_proxy": "*"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    thread.join()
    listener.close()
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert requests[0].startswith(b"CONNECT play.googleapis.com:443 ")
