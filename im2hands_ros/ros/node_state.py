"""Whether another lifecycle node is active."""

from __future__ import annotations

import time

from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.node import Node
from rclpy.task import Future

# Seconds. A response that is sent before the server has found the client is lost, without a word
# to the client (ros2/rmw_fastrtps#842).
RETRY = 2.0


class NodeState:
    """Looks up the state of a lifecycle node; nothing blocks.

    Args:
        node: owns the client.
        name: the other node's; empty: nobody's, which counts as active.
    """

    def __init__(self, node: Node, name: str) -> None:
        self._client = node.create_client(GetState, f"{name}/get_state") if name else None
        self._response: Future | None = None
        self._requested = 0.0
        self._active = not name

    def is_active(self) -> bool:
        """Whether it has been active; call again and again, a response is seen one call later."""
        if self._active or self._client is None:
            return True
        if self._response is None:
            if self._client.service_is_ready():
                self._response = self._client.call_async(GetState.Request())
                self._requested = time.monotonic()
        elif self._response.done():
            state = self._response.result().current_state.id
            self._active = state == State.PRIMARY_STATE_ACTIVE
            self._response = None
        elif time.monotonic() - self._requested > RETRY:
            self._client.remove_pending_request(self._response)
            self._response = None
        return self._active
