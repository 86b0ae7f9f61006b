"""The tables of topics and services in docs/node.md are those of the running node."""

from __future__ import annotations

import re

from harness import ROOT, Client, NodeProcess
from rclpy.qos import ReliabilityPolicy

ELSEWHERE = ("/tf", "collision_object")  # need packages that are not on PyPI
RELIABILITY = {
    "sensor data": ReliabilityPolicy.BEST_EFFORT,
    "reliable, depth 1": ReliabilityPolicy.RELIABLE,
}


def rows(direction: str) -> list[tuple[str, list[str]]]:
    """(name, remaining cells) of each topic or service of the page with this direction."""
    lines = (ROOT / "docs/node.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [
        (name, row[2:])
        for row in cells
        if row[0] == direction
        for name in re.findall(r"`([^`]+)`", row[1])
        if name not in ELSEWHERE
    ]


def full(process: NodeProcess, name: str) -> str:
    return name if name.startswith("/") else f"{process.namespace}/{name}"


def types(rows: list[tuple[str, list[str]]], process: NodeProcess, kind: str) -> dict:
    return {full(process, name): [cells[0].replace("/", f"/{kind}/")] for name, cells in rows}


def test_topics_and_services_are_those_of_the_node(start, connect):
    process = start()
    client = connect(process)
    graph, here = client.node, ("im2hands", process.namespace)
    subscribed = dict(graph.get_subscriber_names_and_types_by_node(*here))
    usual = [row for row in rows("in") if "instead of" not in row[1][-1]]
    assert subscribed == types(usual, process, "msg")
    published = dict(graph.get_publisher_names_and_types_by_node(*here))
    own = {name: kinds for name, kinds in published.items() if not is_of_ros(name)}
    assert own == types(rows("out"), process, "msg")
    served = dict(graph.get_service_names_and_types_by_node(*here))
    own = {name: kinds for name, kinds in served.items() if "/im2hands/" not in name}
    assert own == types(rows("provides"), process, "srv")
    check_reliability(client, process)


def is_of_ros(name: str) -> bool:
    return name in ("/rosout", "/parameter_events") or name.endswith("/transition_event")


def check_reliability(client: Client, process: NodeProcess) -> None:
    for name, cells in rows("out"):
        endpoints = client.node.get_publishers_info_by_topic(full(process, name))
        ours = [each for each in endpoints if each.node_namespace == process.namespace]
        assert {each.qos_profile.reliability for each in ours} == {RELIABILITY[cells[1]]}, name
    for name, cells in rows("in"):
        for each in client.node.get_subscriptions_info_by_topic(full(process, name)):
            assert each.qos_profile.reliability == RELIABILITY[cells[1]], name


def test_the_other_kinds_of_inputs_are_subscribed_to_instead(start):
    renamed = ("--ros-args", "-r", "image:=camera/picture")
    parameters = (
        *("image_transport:=compressed", "keypoints_type:=pose_array"),
        "use_depth:=false",
    )
    process = start(*parameters, options=renamed)
    process.wait_for_log("active")
    client = Client(process.namespace, listen=False)
    subscribed: dict[str, list[str]] = {}

    def all_subscribed() -> bool:
        names = client.node.get_node_names_and_namespaces()
        if ("im2hands", process.namespace) in names:
            here = ("im2hands", process.namespace)
            subscribed.update(client.node.get_subscriber_names_and_types_by_node(*here))
        return len(subscribed) == 3

    client.wait_until(all_subscribed, "the node's subscriptions")
    other = [row for row in rows("in") if "instead of" in row[1][-1]]
    expected = types(other, process, "msg")
    del expected[full(process, "keypoint_named_poses")]  # its package is not built here
    # The compressed topic follows the name that `image` was given.
    kinds = expected.pop(full(process, "image/compressed"))
    expected[full(process, "camera/picture/compressed")] = kinds
    expected[full(process, "camera_info")] = ["sensor_msgs/msg/CameraInfo"]
    assert subscribed == expected
    client.close()
