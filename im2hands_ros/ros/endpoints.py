"""Publishers and subscriptions whose quality of service a user can set, and that explain mismatch.

Every endpoint takes `qos_overrides.<topic>.<publisher|subscription>.<policy>` parameters. When
somebody's QoS does not fit, DDS only stays silent: here it becomes one line with the remedy.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from rclpy.event_handler import (
    PublisherEventCallbacks,
    QoSPublisherMatchedInfo,
    SubscriptionEventCallbacks,
)
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
    qos_profile_sensor_data,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from rclpy.utilities import get_rmw_implementation_identifier

RESULTS = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE
)

OVERRIDING = QoSOverridingOptions(
    (
        QoSPolicyKind.HISTORY,
        QoSPolicyKind.DEPTH,
        QoSPolicyKind.RELIABILITY,
        QoSPolicyKind.DURABILITY,
    )
)

Complain = Callable[[str, str], None]

# Fast DDS never tells of topics whose types differ, and each event that is waited for costs the
# executor 2 % of its time.
_HEARS_OF_TYPES = not get_rmw_implementation_identifier().startswith("rmw_fastrtps")


def subscribe(
    node: Node, kind: type, topic: str, callback: Callable[[Any], None], complain: Complain
) -> Subscription:
    """A subscription with sensor-data QoS or what the overrides say.

    Raises:
        RuntimeError: an override that is no QoS value.
    """

    def on_mismatch(_: Any) -> None:
        _explain_subscription(node, subscription.topic_name, complain)

    subscription = node.create_subscription(
        kind,
        topic,
        callback,
        copy(qos_profile_sensor_data),  # overriding changes the profile that it is given
        qos_overriding_options=OVERRIDING,
        event_callbacks=SubscriptionEventCallbacks(
            incompatible_qos=on_mismatch, use_default_callbacks=_HEARS_OF_TYPES
        ),
    )
    return subscription


class Output:
    """A managed publisher that is told who listens: reliable with depth 1, or as overridden.

    Attributes:
        listeners: subscriptions of now. DDS reports every change as an event, also those that were
            there first or came before the executor ran; nobody has to ask before each frame.

    Raises:
        RuntimeError: an override that is no QoS value.
    """

    def __init__(self, node: LifecycleNode, kind: type, topic: str, complain: Complain) -> None:
        self.listeners = 0
        self._node, self._complain = node, complain
        self._publisher = node.create_lifecycle_publisher(
            kind,
            topic,
            copy(RESULTS),
            qos_overriding_options=OVERRIDING,
            event_callbacks=PublisherEventCallbacks(
                incompatible_qos=self._on_mismatch,
                matched=self._on_matched,
                use_default_callbacks=_HEARS_OF_TYPES,
            ),
        )

    def publish(self, message: Any) -> None:
        """Send a message or its serialised bytes."""
        self._publisher.publish(message)

    def destroy(self) -> None:
        """Give the publisher back."""
        self._node.destroy_lifecycle_publisher(self._publisher)

    def _on_matched(self, status: QoSPublisherMatchedInfo) -> None:
        self.listeners = status.current_count

    def _on_mismatch(self, _: Any) -> None:
        _explain_publisher(self._node, self._publisher.topic_name, self._complain)


def _explain_subscription(node: Node, topic: str, complain: Complain) -> None:
    ours = _own(node, node.get_subscriptions_info_by_topic(topic))
    for offer in node.get_publishers_info_by_topic(topic) if ours else ():
        text = mismatch(topic, offer.qos_profile, ours.qos_profile, offer, "publisher")
        if text:
            complain(f"qos_{topic}", text)


def _explain_publisher(node: Node, topic: str, complain: Complain) -> None:
    ours = _own(node, node.get_publishers_info_by_topic(topic))
    for request in node.get_subscriptions_info_by_topic(topic) if ours else ():
        text = mismatch(topic, ours.qos_profile, request.qos_profile, request, "subscription")
        if text:
            complain(f"qos_{topic}", text)


def _own(node: Node, endpoints: list[Any]) -> Any:
    """This node's endpoint as DDS knows it: what rclpy was told leaves some policies open."""
    name = (node.get_namespace(), node.get_name())
    mine = (each for each in endpoints if (each.node_namespace, each.node_name) == name)
    return next(mine, None)


def mismatch(topic: str, offered: QoSProfile, wanted: QoSProfile, other: Any, theirs: str) -> str:
    """One line on two profiles that do not fit, with the remedy; empty when they fit.

    Args:
        topic: full name.
        offered, wanted: the publisher's and the subscription's profile.
        other: the foreign endpoint: `node_name` and `node_namespace`.
        theirs: "publisher" or "subscription": which of the two is foreign.
    """
    if qos_check_compatible(offered, wanted)[0] != QoSCompatibility.ERROR:
        return ""
    name = f"{other.node_namespace.rstrip('/')}/{other.node_name}"
    if theirs == "publisher":
        told = f"{name} publishes {_said(offered)} but this node asks for {_said(wanted)}"
        policy, value = _cure(offered, wanted, offered)
        ours = "subscription"
    else:
        told = f"{name} asks for {_said(wanted)} but this node publishes {_said(offered)}"
        policy, value = _cure(offered, wanted, wanted)
        ours = "publisher"
    return (
        f"{topic}: no messages pass: {told}: give this node the parameter "
        f"qos_overrides.{topic}.{ours}.{policy} with the value {value}, or change {name}"
    )


def _said(profile: QoSProfile) -> str:
    reliability, durability = profile.reliability.name, profile.durability.name
    return f"{reliability.lower()}, {durability.lower()}"


def _cure(offered: QoSProfile, wanted: QoSProfile, theirs: QoSProfile) -> tuple[str, str]:
    """The policy in which the profiles do not fit, and the value that would make ours fit."""
    best_effort, reliable = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE
    if offered.reliability == best_effort and wanted.reliability == reliable:
        return "reliability", theirs.reliability.name.lower()
    volatile, kept = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL
    if offered.durability == volatile and wanted.durability == kept:
        return "durability", theirs.durability.name.lower()
    return "<policy>", "that fits (deadline, lifespan or liveliness differ)"
