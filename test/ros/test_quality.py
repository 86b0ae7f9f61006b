"""Quality of service: overridable on every endpoint, and a mismatch is one line with its remedy."""

from __future__ import annotations

from harness import Client, image
from im2hands_ros.msg import HandMeshArray
from rcl_interfaces.srv import ListParameters
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import Image


def test_every_endpoint_takes_overrides(node, client):
    request = ListParameters.Request(prefixes=["qos_overrides"])
    names = client.call(ListParameters, "im2hands/list_parameters", request).result.names
    space = node.namespace
    for topic in ("image", "camera_info", "keypoints"):
        assert f"qos_overrides.{space}/{topic}.subscription.reliability" in names
    topics = [f"{space}/{name}" for name in client.received]
    for topic in (*topics, "/diagnostics"):
        for policy in ("reliability", "durability", "depth", "history"):
            assert f"qos_overrides.{topic}.publisher.{policy}" in names


def test_an_override_is_used_and_a_mismatch_at_an_input_is_explained(start):
    process = start(on_input("reliability", "reliable"))
    process.wait_for_log("active")
    client = Client(process.namespace)
    client.node.create_publisher(Image, "image", qos_profile_sensor_data)
    topic = f"{process.namespace}/image"
    process.wait_for_log(f"{topic}: no messages pass: ")
    line = next(line for line in process.log.splitlines() if "no messages pass" in line)
    assert "publishes best_effort, volatile but this node asks for reliable, volatile" in line
    remedy = f"qos_overrides.{topic}.subscription.reliability with the value best_effort"
    assert remedy in line
    client.close()


def on_input(policy: str, value: str) -> str:
    return f"qos_overrides.{{namespace}}/image.subscription.{policy}:={value}"


def test_a_mismatch_at_an_output_is_explained_and_the_override_cures_it(start, connect):
    kept = QoSProfile(
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )
    process = start()
    client = connect(process)
    client.node.create_subscription(HandMeshArray, "meshes", lambda _: None, kept)
    process.wait_for_log("no messages pass")
    line = next(line for line in process.log.splitlines() if "no messages pass" in line)
    topic = f"{process.namespace}/meshes"
    assert "asks for reliable, transient_local but this node publishes reliable, volatile" in line
    remedy = f"qos_overrides.{topic}.publisher.durability"
    assert f"{remedy} with the value transient_local" in line

    cured = start("qos_overrides.{namespace}/meshes.publisher.durability:=transient_local")
    other = connect(cured)
    other.send_frame(10.0)
    other.wait_for_frame(10.0)
    late: list[HandMeshArray] = []
    other.node.create_subscription(HandMeshArray, "meshes", late.append, kept)
    other.wait_until(lambda: bool(late), "the mesh that was published before")


def test_a_value_that_is_no_quality_ends_the_process_with_one_line(start):
    process = start(on_input("reliability", "sometimes"))
    assert process.wait() == 1
    assert "cannot activate" in process.log
    assert "sometimes" in process.log
    assert "Traceback" not in process.log


def test_matching_qualities_are_not_complained_about(node, client):
    client.send(image(1.0))
    client.spin(0.2)
    assert "no messages pass" not in node.log
