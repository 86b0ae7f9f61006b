"""Subscriptions and publishers whose QoS a user can set, and that explain a mismatch.

When somebody's QoS does not fit, DDS only stays silent: here it becomes one line with the remedy.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from rclpy.duration import Duration
from rclpy.event_handler import (
    PublisherEventCallbacks,
    QoSPublisherMatchedInfo,
    SubscriptionEventCallbacks,
)
from rclpy.qos import qos_profile_sensor_data
from rclpy.subscription import Subscription
from rclpy.topic_endpoint_info import TopicEndpointInfo
from rclpy.utilities import get_rmw_implementation_identifier

from im2hands_ros.ros.base_node import BaseNode, ManagedNode
from im2hands_ros.ros.qos import OVERRIDING, RESULTS, mismatch

# Fast DDS never reports topics whose types differ, and each event that is waited for costs the
# executor 2 % of its time.
_REPORTS_TYPES = not get_rmw_implementation_identifier().startswith("rmw_fastrtps")


def subscribe(
    node: BaseNode, kind: type, topic: str, callback: Callable[[Any], None]
) -> Subscription:
    """A subscription with sensor-data QoS or what the overrides say.

    Raises:
        RuntimeError: an override that is no QoS value.
    """

    def on_mismatch(_: Any) -> None:
        _explain(node, subscription.topic_name, "subscription")

    subscription = node.create_subscription(
        kind,
        topic,
        callback,
        copy(qos_profile_sensor_data),  # overriding changes the profile that it is given
        qos_overriding_options=OVERRIDING,
        event_callbacks=SubscriptionEventCallbacks(
            incompatible_qos=on_mismatch, use_default_callbacks=_REPORTS_TYPES
        ),
    )
    return subscription


class ResultPublisher:
    """A managed publisher that counts its subscriptions: reliable with depth 1, or as overridden.

    Attributes:
        subscriber_count: subscriptions of now. DDS reports every change as an event, also those
            that were there first or came before the executor ran: no frame need look it up.

    Raises:
        RuntimeError: an override that is no QoS value.
    """

    def __init__(self, node: ManagedNode, kind: type, topic: str) -> None:
        self.subscriber_count = 0
        self._node = node
        self._publisher = node.create_lifecycle_publisher(
            kind,
            topic,
            copy(RESULTS),
            qos_overriding_options=OVERRIDING,
            event_callbacks=PublisherEventCallbacks(
                incompatible_qos=self._on_mismatch,
                matched=self._on_matched,
                use_default_callbacks=_REPORTS_TYPES,
            ),
        )

    def publish(self, message: Any) -> None:
        """Send a message or its serialised bytes."""
        self._publisher.publish(message)

    def wait_until_received(self, timeout: float) -> None:
        """Wait until every reliable subscriber has all messages, seconds at most."""
        if self.subscriber_count and timeout > 0:
            self._publisher.wait_for_all_acked(Duration(seconds=timeout))

    def destroy(self) -> None:
        """Give the publisher back."""
        self._node.destroy_lifecycle_publisher(self._publisher)

    def _on_matched(self, status: QoSPublisherMatchedInfo) -> None:
        self.subscriber_count = status.current_count

    def _on_mismatch(self, _: Any) -> None:
        _explain(self._node, self._publisher.topic_name, "publisher")


def _explain(node: BaseNode, topic: str, side: str) -> None:
    """Warn of the foreign endpoints of a topic that do not fit this node's on that side."""
    publishers = node.get_publishers_info_by_topic(topic)
    subscriptions = node.get_subscriptions_info_by_topic(topic)
    own, others = publishers, subscriptions
    if side == "subscription":
        own, others = subscriptions, publishers
    for mine in filter(lambda each: _is_of(node, each), own):
        for other in others:
            if text := mismatch(topic, mine, other, side):
                node.warn_throttled(f"qos_{topic}", text)


def _is_of(node: BaseNode, endpoint: TopicEndpointInfo) -> bool:
    """DDS knows this node's endpoint in full: rclpy's profile leaves some policies open."""
    own = (node.get_namespace(), node.get_name())
    return (endpoint.node_namespace, endpoint.node_name) == own
