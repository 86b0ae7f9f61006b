"""Quality of service of this package's endpoints, and what is wrong between two that do not fit."""

from __future__ import annotations

from rclpy.qos import (
    DurabilityPolicy,
    QoSCompatibility,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.topic_endpoint_info import TopicEndpointInfo

RESULTS = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE
)

# Every endpoint takes parameters `qos_overrides.<topic>.<publisher|subscription>.<policy>`.
OVERRIDING = QoSOverridingOptions(
    (
        QoSPolicyKind.HISTORY,
        QoSPolicyKind.DEPTH,
        QoSPolicyKind.RELIABILITY,
        QoSPolicyKind.DURABILITY,
    )
)


def mismatch(topic: str, own: TopicEndpointInfo, other: TopicEndpointInfo, side: str) -> str:
    """One line on two endpoints that do not fit, with the remedy; empty when they fit.

    Args:
        topic: full name.
        own, other: this node's endpoint and the foreign one, as DDS knows them.
        side: which of the two is this node's, "publisher" or "subscription".
    """
    publishes = side == "publisher"
    offered, requested = own.qos_profile, other.qos_profile
    if not publishes:
        offered, requested = requested, offered
    if qos_check_compatible(offered, requested)[0] != QoSCompatibility.ERROR:
        return ""
    name = f"{other.node_namespace.rstrip('/')}/{other.node_name}"
    policy, value = _remedy(offered, requested, other.qos_profile)
    if publishes:
        found = f"{name} asks for {_text(requested)} but this node publishes {_text(offered)}"
    else:
        found = f"{name} publishes {_text(offered)} but this node asks for {_text(requested)}"
    return (
        f"{topic}: no messages pass: {found}: give this node the parameter "
        f"qos_overrides.{topic}.{side}.{policy} with the value {value}, or change {name}"
    )


def _text(profile: QoSProfile) -> str:
    return f"{profile.reliability.name}, {profile.durability.name}".lower()


def _remedy(offered: QoSProfile, requested: QoSProfile, other: QoSProfile) -> tuple[str, str]:
    """The policy in which the profiles do not fit, and the value that would make ours fit."""
    best_effort, reliable = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE
    if offered.reliability == best_effort and requested.reliability == reliable:
        return "reliability", other.reliability.name.lower()
    volatile, kept = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL
    if offered.durability == volatile and requested.durability == kept:
        return "durability", other.durability.name.lower()
    return "<policy>", "that fits (deadline, lifespan or liveliness differ)"
