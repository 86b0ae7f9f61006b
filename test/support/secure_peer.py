"""One who talks to a node under SROS 2; which one the environment's enclave says.

python secure_peer.py NAMESPACE friend      asks for an answer and prints "answered"
python secure_peer.py NAMESPACE publisher   publishes frames for ten seconds, or prints "refused"
"""

from __future__ import annotations

import sys
import time

import rclpy
from harness import Client

_FRAMES, _PERIOD = 100, 0.1


def main(namespace: str, role: str) -> None:
    rclpy.init()
    try:
        client = Client(namespace, listen=role == "friend")
    except Exception as error:  # noqa: BLE001 - whatever the middleware says
        print("refused", error)
        return
    if role == "friend":
        client.wait_for_node()
    for _ in range(_FRAMES):
        client.send_frame(time.time() // 0.001 / 1000)
        client.spin(_PERIOD)
        if client.received["meshes"]:
            print("answered", len(client.received["meshes"][-1].hands))
            break
    if role == "friend":
        print("received", client.diagnostics()["received.image"])


if __name__ == "__main__":
    main(*sys.argv[1:])
