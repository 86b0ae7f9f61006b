"""Many rounds through the lifecycle leave nothing behind."""

from __future__ import annotations

from pathlib import Path

from harness import Client, NodeProcess
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

ROUNDS = 100
STEPS = (
    Transition.TRANSITION_CONFIGURE,
    Transition.TRANSITION_ACTIVATE,
    Transition.TRANSITION_DEACTIVATE,
    Transition.TRANSITION_CLEANUP,
)


def open_files(process: NodeProcess) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def test_100_rounds_grow_neither_memory_nor_files_nor_endpoints(start):
    process = start("auto_activate:=false")
    client = Client(process.namespace)
    caller = client.node.create_client(ChangeState, "im2hands/change_state")
    client.wait_until(caller.service_is_ready, "change_state")

    def rounds(count: int) -> None:
        for transition in count * STEPS:
            request = ChangeState.Request(transition=Transition(id=transition))
            future = caller.call_async(request)
            client.wait_until(future.done, "a transition")
            assert future.result().success, process.log

    rounds(20)
    before, files = process.memory_mib, open_files(process)
    rounds(ROUNDS - 20)
    growth = process.memory_mib - before
    print(f"\n{ROUNDS} rounds: {growth:+.1f} MiB, {open_files(process) - files:+d} files")
    assert growth < 8  # 0.1 MiB a round
    assert open_files(process) - files < 4
    image = f"{process.namespace}/image"
    client.wait_until(lambda: client.node.count_subscribers(image) == 0, "no subscription")
    client.close()
