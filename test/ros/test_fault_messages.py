"""500 broken images and sets of keypoints, odd stamps, pipelines that raise: the node lives on."""

from __future__ import annotations

import array
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pytest
from fuzzing import fuzzed_image, fuzzed_keypoints
from harness import (
    ANALYTIC_NODE,
    LOSSLESS,
    LOSSLESS_INPUTS,
    Client,
    NodeProcess,
    camera_info,
    image,
    keypoints,
)

from im2hands_ros.bad_input import BadInput
from im2hands_ros.messages.images import read_image
from im2hands_ros.messages.occupancy import CLOUD_DTYPE

TRIED = 500
BATCH = 10  # broken messages at once: fewer than the node keeps waiting for a partner
_stamps = itertools.count(100)


@pytest.fixture(scope="module")
def process(tmp_path_factory) -> Iterator[NodeProcess]:
    """A node that loses no message on the way."""
    log = tmp_path_factory.mktemp("node") / "log.txt"
    process = NodeProcess([ANALYTIC_NODE], LOSSLESS_INPUTS, log)
    yield process
    process.stop()


@pytest.fixture
def client(process) -> Iterator[Client]:
    client = Client(process.namespace, qos=LOSSLESS)
    client.wait_for_node()
    client.send(camera_info(1.0))
    yield client
    assert process.is_alive
    assert "Traceback" not in process.log
    client.close()


class Counts:
    """What the node's counters did since this was made."""

    def __init__(self, client: Client) -> None:
        self._client, self._before = client, self._read(client)

    @staticmethod
    def _read(client: Client) -> Counter[str]:
        names = ("received.", "published", "dropped.")
        return Counter(
            {
                name: int(value)
                for name, value in client.diagnostics().items()
                if name.startswith(names) and not name.endswith(".hz")
            }
        )

    def now(self) -> Counter[str]:
        """Counts by name."""
        return self._read(self._client) - self._before


def dropped(counts: Counter[str], *reasons: str) -> int:
    prefixes = tuple(f"dropped.{reason}" for reason in reasons)
    return sum(count for name, count in counts.items() if name.startswith(prefixes))


def send_with_good_frames_between(
    client: Client, broken: Iterable[Sequence[object]], batch: int = BATCH
) -> list[float]:
    """Send broken messages; after some of them a frame that must be answered; the good stamps."""
    good = []
    broken = iter(broken)
    while messages := list(itertools.islice(broken, batch)):
        for each in messages:
            client.send(*each)
            client.spin(0.005)
        good.append(float(next(_stamps)))
        client.send_frame(good[-1])
        client.wait_for_frame(good[-1])
    return good


def frames_with(change: Callable[[float], tuple[object, object]], count: int) -> Iterator[tuple]:
    """Image and keypoints of `count` frames, made when their turn comes."""
    return (change(float(next(_stamps))) for _ in range(count))


def is_white(message: object) -> bool:
    try:
        return read_image(message).min() == 255
    except BadInput:
        return False


def vertices(message: object) -> np.ndarray:
    return np.concatenate([np.array(each.vertices) for each in message.hands] or [np.zeros(0)])


def test_500_fuzzed_images_are_refused_and_counted_and_every_good_frame_is_answered(
    process, client
):
    random = np.random.default_rng(0)
    started, lines, counts = time.monotonic(), process.log.count("[WARN]"), Counts(client)
    sent = []

    def frame(stamp: float) -> tuple[object, object]:
        sent.append(fuzzed_image(stamp, random))
        return sent[-1], keypoints(stamp)

    broken = frames_with(frame, TRIED)
    good = send_with_good_frames_between(client, broken)
    seconds, found = time.monotonic() - started, counts.now()
    usable = set(client.stamps()) - set(good)
    kinds = ("image_encoding", "image_size", "image_step", "image_data", "image_byte_order")
    refused = dropped(found, *kinds)
    other = dropped(found, "camera_info_size", "overwritten", "image_skipped")
    print(f"\n{TRIED} images: {refused} refused, {len(usable)} usable, {other} of another size")
    assert found["received.image"] == TRIED + len(good)
    # Grey bytes read as 10 or 12 bits are white, on which the stand-in model raises.
    failed = found["dropped.pipeline_error"]
    white, overwritten = sum(map(is_white, sent)), dropped(found, "overwritten")
    assert failed > 0
    assert white - overwritten <= failed <= white
    assert refused + other + failed + len(usable) == TRIED
    assert refused > 0.8 * TRIED
    # One line for each kind in five seconds: of these, another size, a failure, frozen keypoints.
    assert process.log.count("[WARN]") - lines <= (len(kinds) + 3) * (seconds / 5 + 1)


def test_500_fuzzed_keypoint_sets_never_give_a_vertex_that_is_no_number(process, client):
    random = np.random.default_rng(1)
    counts = Counts(client)
    broken = frames_with(lambda stamp: (image(stamp), fuzzed_keypoints(stamp, random)), TRIED)
    good = send_with_good_frames_between(client, broken)
    found = counts.now()
    answered = set(client.stamps()) - set(good)
    refused = dropped(found, "image_skipped")  # an image whose keypoints were refused
    hands = dropped(found, "keypoints_")
    passed_over = dropped(found, "overwritten")
    print(f"\n{TRIED} sets: {refused} refused ({hands} hands), {len(answered)} answered")
    assert found["received.keypoints"] == TRIED + len(good)
    assert refused + passed_over + len(answered) == TRIED
    assert hands >= refused > TRIED / 10
    assert len(answered) > TRIED / 10
    for message in client.received["meshes"]:
        assert np.isfinite(vertices(message)).all()
    for message in client.received["occupancy"]:
        points = np.frombuffer(message.data, CLOUD_DTYPE)
        assert all(np.isfinite(points[name]).all() for name in ("x", "y", "z", "occupancy"))
    assert not dropped(found, "pipeline_error"), process.log


def test_an_8k_image_is_refused_or_answered_and_the_next_frame_works(client):
    counts = Counts(client)
    stamp = float(next(_stamps))
    large = image(stamp)
    large.width, large.height, large.step, large.encoding = 7680, 4320, 7680, "mono8"
    large.data = array.array("B", bytes(7680 * 4320))
    client.send(large, keypoints(stamp))
    client.wait_until(lambda: counts.now()["dropped.camera_info_size"] == 1, "the refusal")
    send_with_good_frames_between(client, [()])


def test_a_pipeline_that_raises_at_every_third_frame_delivers_the_others(process, client):
    counts = Counts(client)
    failing = frames_with(lambda stamp: (image(stamp, 255), keypoints(stamp)), 20)
    good = []
    for pair in failing:
        good += send_with_good_frames_between(client, [pair])
        good += send_with_good_frames_between(client, [()])
    assert client.stamps() == good
    found = counts.now()
    assert found["published"] == len(good) == 40
    failed = dropped(found, "pipeline_error")
    assert failed + dropped(found, "overwritten") == 20
    assert failed > 0
    assert 1 <= process.log.count("RuntimeError: the image is all white") <= failed


def test_shuffled_late_doubled_and_zero_stamps_give_rising_pairs_within_the_slop(client):
    random = np.random.default_rng(2)
    counts = Counts(client)
    slop, period, start = 0.01, 0.04, float(next(_stamps)) + 1000
    stamps = start + period * np.arange(240)
    sent = [(stamp, "image") for stamp in stamps] + [(stamp, "points") for stamp in stamps]
    order = np.argsort([stamp + random.uniform(0, 5 * period) for stamp, _ in sent])
    for stamp, kind in (sent[number] for number in order):
        message = image(stamp) if kind == "image" else dated_keypoints(stamp + 0.004, start)
        client.send(*(2 if random.random() < 0.1 else 1) * [message])
        if random.random() < 0.05:
            client.send(image(0.0), keypoints(0.0))
        client.spin(0.002)
    last = stamps[-1] + 1
    client.send(image(last), dated_keypoints(last, start))
    client.wait_for_frame(last)
    answered = client.stamps()
    assert answered == sorted(set(answered))
    assert len(answered) > 20
    for message, stamp in zip(client.received["meshes"], answered, strict=True):
        assert abs(date(message, start) - stamp) <= slop + 1e-3
    found = counts.now()
    for reason in ("image_zero_stamp", "keypoints_zero_stamp", "image_duplicate", "image_late"):
        assert dropped(found, reason) > 0, reason
    # Every image is found in one counter.
    counted = found["published"] + dropped(found, "image_", "overwritten")
    assert found["received.image"] == counted


def dated_keypoints(stamp: float, start: float) -> object:
    """Keypoints from which their own stamp can be read: it is their distance."""
    message = keypoints(stamp)
    for side in ("left", "right"):
        xyz = np.array(getattr(message, f"{side}_xyz"), np.float64).reshape(21, 3)
        xyz[:, 2] = 0.5 + (stamp - start) / 10
        setattr(message, f"{side}_xyz", array.array("f", xyz.astype(np.float32).ravel()))
    return message


def date(message: object, start: float) -> float:
    return start + 10 * (float(np.array(message.hands[0].vertices)[2::3].mean()) - 0.5)


def test_results_go_on_within_five_frames_of_a_clock_that_jumps_back(client):
    stamp = float(next(_stamps)) + 5000
    for now in (stamp, stamp + 0.1):
        client.send_frame(now)
        client.wait_for_frame(now)
    for number in range(5):
        client.send_frame(stamp - 100 + number / 10)
        client.spin(0.05)
    client.wait_for_frame(stamp - 99.6)
