"""Streams that stop, storms of images and of subscribers, all pairs of qualities of service."""

from __future__ import annotations

import itertools
import time

import pytest
from harness import LOSSLESS, LOSSLESS_INPUTS, Client, camera_info, header, image, keypoints
from im2hands_ros.msg import HandMeshArray
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2
from visualization_msgs.msg import Marker, MarkerArray


def now(client: Client) -> float:
    """The time, as a stamp that a message can hold exactly."""
    return client.node.get_clock().now().nanoseconds // 1_000_000 / 1e3


@pytest.mark.parametrize("stopped", ["keypoints", "image"])
def test_an_input_that_stops_is_a_warning_and_no_hands_and_two_frames_bring_them_back(
    client, stopped
):
    stamps = (1000.0 + number / 20 for number in itertools.count(100 * (stopped == "image")))

    def send(*names: str) -> None:
        stamp = next(stamps)
        messages = {"keypoints": keypoints(stamp), "image": image(stamp)}
        client.send(camera_info(stamp), *(messages[name] for name in names))
        client.spin(0.05)

    def send_until(done, what: str, *names: str) -> None:
        deadline = time.monotonic() + 30
        while not done():
            assert time.monotonic() < deadline, what
            send(*names)

    send_until(lambda: len(client.received["markers"]) > 5, "hands", "keypoints", "image")
    (other,) = {"keypoints", "image"} - {stopped}
    client.forget()
    topic = f"{client.node.get_namespace()}/{stopped}"
    send_until(lambda: client.verdict == f"nothing comes on {topic}", "the warning", other)
    assert client.level == 1
    send_until(lambda: bool(deletions(client)), "the DELETE", other)
    # It is the last word on them.
    assert all(each in deletions(client) for each in client.received["markers"][-1:])

    client.forget()
    for _ in range(2):
        send("keypoints", "image")
    client.wait_until(lambda: bool(client.received["meshes"]), "hands again")


def deletions(client: Client) -> list[MarkerArray]:
    return [
        message
        for message in client.received["markers"]
        if {each.action for each in message.markers} == {Marker.DELETE}
    ]


STORM = 720  # images; none may be lost on the way to a node that gets no processor


def storm(client: Client, images: int, rate: float = 120.0) -> float:
    """Send so many small images at the rate, late ones at once; the rate that came of it.

    The messages are made before: a busy machine has to publish and nothing else.
    """
    messages = camera_info(1.0), keypoints(1.0), image(1.0)
    started, last = time.monotonic(), 0.0
    for number in range(images):
        wait = started + number / rate - time.monotonic()
        if wait > 0:
            client.spin(0.5 * wait)
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
        last = max(now(client), last + 0.001)  # every image its own stamp
        for message in messages:
            message.header = header(last)
        client.send(*messages)
    rate = images / (time.monotonic() - started)
    while now(client) <= last:  # the next storm's stamps are later ones
        client.spin(0.001)
    return rate


def accounted(values: dict[str, str]) -> int:
    """Images of which the diagnostics say what became of them."""
    of_images = (
        name
        for name in values
        if name.startswith("dropped.") and not name.startswith("dropped.keypoints")
    )
    return sum(int(values.get(name, 0)) for name in ("published", *of_images))


@pytest.mark.parametrize("delay", [0.3, 0.02])
def test_a_storm_of_images_is_answered_with_the_newest_and_every_other_one_is_counted(
    start, connect, delay
):
    """120 Hz into a device that manages 3 Hz, and into one that manages 50 Hz."""
    parameters = (each.replace("depth:=100", f"depth:={STORM}") for each in LOSSLESS_INPUTS)
    process = start(*parameters, options=("--delay", str(delay)))
    client = connect(process, qos=QoSProfile(depth=STORM, reliability=LOSSLESS.reliability))
    storm(client, STORM // 3)
    memory = process.memory_mib
    rate = storm(client, STORM - STORM // 3)
    growth = process.memory_mib - memory
    client.wait_until(lambda: accounted(client.diagnostics()) == STORM, "the end of every image")
    values = client.diagnostics()
    answered, overwritten = int(values["published"]), int(values["dropped.overwritten"])
    latency, p95, frame = (
        float(values[f"stage.{name}_ms"]) for name in ("latency.median", "latency.p95", "frame.p95")
    )
    print(
        f"\n{STORM} images, most of them at {rate:.0f} Hz: {answered} answered, {overwritten} "
        f"overwritten, {growth:+.1f} MiB; latency {latency:.0f} ms (95 %: {p95:.0f}) for frames of "
        f"{frame:.0f} ms"
    )
    assert int(values["received.image"]) == STORM
    assert "dropped.pipeline_error" not in values
    assert overwritten > 0
    # What a busy machine adds is bounded; waiting in a queue would be ten seconds and more.
    assert p95 <= 2 * frame + 5000
    assert growth < 10
    assert client.stamps() == sorted(set(client.stamps()))


def test_50_subscribers_come_and_go_while_frames_flow(start, connect):
    process = start()
    client = connect(process, listen=False)
    kinds = {"meshes": HandMeshArray, "occupancy": PointCloud2, "markers": MarkerArray}
    heard: list[object] = []
    stamps = (10.0 + number / 100 for number in itertools.count())
    present = []
    for number in range(50):
        topic, kind = list(kinds.items())[number % 3]
        guest = Client(process.namespace, listen=False) if number % 10 == 0 else client
        present.append(
            (guest, guest.node.create_subscription(kind, topic, heard.append, 1 + number % 5))
        )
        client.send_frame(next(stamps))
        client.spin(0.02)
        if len(present) > 7:
            leave(client, *present.pop(number % 7))
    for guest in present:
        leave(client, *guest)
    client.wait_until(lambda: client.count("subscribers") == 0, "everybody gone")
    published = client.count("published")
    client.send_frame(next(stamps))
    client.wait_until(lambda: client.count("dropped.nobody_subscribed") > 0, "no work")
    assert client.count("published") == published
    assert heard
    late = connect(process)
    stamp = next(stamps)
    client.send_frame(stamp)
    late.wait_for_frame(stamp)
    assert process.is_alive
    assert not [word for word in ("Traceback", "[ERROR]", "[WARN]") if word in process.log]


def leave(client: Client, guest: Client, subscription: object) -> None:
    """A guest of its own leaves as a process would; the others only unsubscribe."""
    if guest is client:
        client.node.destroy_subscription(subscription)
    else:
        guest.close()


QUALITIES = {
    "best_effort": QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT),
    "reliable": QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE),
    "kept": QoSProfile(
        depth=5,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    ),
}
INPUT = "qos_overrides.{namespace}/image.subscription."
OUTPUT = "qos_overrides.{namespace}/meshes.publisher."


MATRIX = [
    ((), ("best_effort", "reliable", "kept"), ("best_effort", "reliable")),
    (
        (INPUT + "reliability:=reliable", OUTPUT + "durability:=transient_local"),
        ("reliable", "kept"),
        ("best_effort", "reliable", "kept"),
    ),
    (
        (INPUT + "durability:=transient_local", OUTPUT + "reliability:=best_effort"),
        ("kept",),
        ("best_effort",),
    ),
]


@pytest.mark.parametrize(("parameters", "heard", "told"), MATRIX)
def test_each_pair_of_qualities_passes_or_is_explained_in_a_line(start, parameters, heard, told):
    """Three publishers of images and three subscribers of meshes, one of each quality."""
    process = start(*parameters)
    process.wait_for_log("active")
    client = Client(process.namespace, listen=False)
    cameras = {
        name: client.node.create_publisher(Image, "image", quality)
        for name, quality in QUALITIES.items()
    }
    answers: dict[str, list[HandMeshArray]] = {name: [] for name in QUALITIES}
    for name, quality in QUALITIES.items():
        client.node.create_subscription(HandMeshArray, "meshes", answers[name].append, quality)
    seconds = dict(zip(QUALITIES, range(len(QUALITIES)), strict=True))

    def answered(name: str) -> set[int]:
        """Seconds of the stamps that came: each camera has its own."""
        return {each.header.stamp.sec % 10 for each in answers[name]}

    expected = {seconds[name] for name in heard}
    for tens in range(10, 400):
        for name, camera in cameras.items():
            stamp = 10.0 * tens + seconds[name]
            client.send(camera_info(stamp), keypoints(stamp))
            camera.publish(image(stamp))
            client.spin(0.1)
        if all(answered(name) == expected for name in told):
            break
    client.spin(0.2)
    assert {name: answered(name) for name in QUALITIES} == {
        name: expected if name in told else set() for name in QUALITIES
    }
    lines = [line for line in process.log.splitlines() if "no messages pass" in line]
    explained = {line.split(": no messages pass")[0].split("/")[-1] for line in lines}
    assert ("image" in explained) == (len(heard) < len(QUALITIES))
    assert ("meshes" in explained) == (len(told) < len(QUALITIES))
    client.close()
