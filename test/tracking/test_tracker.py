"""The frame engine: what it hands to the model, filters, detects, and says of a frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from two_hands import CAMERA, joints, picture

from im2hands_ros.bad_input import BadInput
from im2hands_ros.networks.protocol import EstimatedJoints
from im2hands_ros.pair import HandPair
from im2hands_ros.scene import Hands, HandSurface
from im2hands_ros.skeleton import SIDES
from im2hands_ros.tracking.association import exchange
from im2hands_ros.tracking.settings import FrameSettings
from im2hands_ros.tracking.tracker import Extent, HandTracker

IMAGE = picture()


def surface(xyz: np.ndarray) -> HandSurface:
    empty = np.zeros((0, 3), np.float32)
    return HandSurface(empty, empty.astype(np.int32), empty, empty[:, 0], xyz, 0.5)


@dataclass
class RecordingModel:
    """Keeps what it is given; refines by a centimetre; finds no surface on `lost` sides."""

    stages: tuple[str, ...] = ("initial", "keypoints", "refinement")
    swapped: bool = False
    lost: tuple[str, ...] = ()
    refine_keypoints: bool = False
    refine_occupancy: bool = False
    can_use_depth: bool = True
    encoded: list[dict] = field(default_factory=list)
    depths: list = field(default_factory=list)
    reconstructed: list[dict] = field(default_factory=list)

    def encode(
        self, image: np.ndarray, keypoints: dict, camera: object, depth=None, *, settle=None
    ) -> SimpleNamespace:
        keypoints = {side: xyz for side, xyz in keypoints.items() if xyz is not None}
        self.encoded.append(keypoints)
        self.depths.append(depth)
        refined = {side: xyz + 0.01 * self.refine_keypoints for side, xyz in keypoints.items()}
        swapped = self.swapped and self.refine_keypoints
        if swapped:
            refined = exchange(refined)
        confidence = HandPair(**dict.fromkeys(refined, 0.5))
        estimate = EstimatedJoints(HandPair(**refined), confidence, swapped=swapped)
        if settle is not None:
            estimate = settle(estimate)
        refined = estimate.joints.present

        def reconstruct(**options: float) -> Hands:
            self.reconstructed.append(options)
            found = {s: surface(xyz) for s, xyz in refined.items() if s not in self.lost}
            return Hands(found.get("left"), found.get("right"), {"search": 2.0})

        return SimpleNamespace(
            keypoints={side: refined.get(side) for side in SIDES},
            confidence=estimate.confidence.present,
            swapped=estimate.swapped,
            left=None,
            right=None,
            reconstruct=reconstruct,
        )

    def warm_up(self, resolution: int) -> None:
        self.reconstructed.append({"resolution": resolution})


def both() -> dict[str, np.ndarray]:
    return {side: joints(side) for side in SIDES}


def test_a_frame_becomes_surfaces_by_the_settings_of_the_moment():
    model = RecordingModel()
    tracker = HandTracker(model, FrameSettings(resolution=48))
    frame = tracker.update(IMAGE, 1.0, CAMERA, both())
    assert frame.left.surface is frame.surfaces.left and frame["right"] is frame.right
    assert np.allclose(frame.left.keypoints, joints("left") + 0.01)
    assert frame.timings_ms == {"search": 2.0} and frame.left.confidence == 0.5
    tracker.settings = FrameSettings(resolution=96, refine_keypoints=False)
    frame = tracker.update(IMAGE, 2.0, CAMERA, both())
    assert np.array_equal(frame.left.keypoints, joints("left"))
    assert [each["resolution"] for each in model.reconstructed] == [48, 96]


def test_no_step_is_done_that_is_not_asked_for():
    model = RecordingModel()
    tracker = HandTracker(model, FrameSettings(refine_keypoints=False))
    frame = tracker.update(IMAGE, 1.0, CAMERA, both(), extent=Extent.KEYPOINTS)
    assert np.array_equal(frame.left.keypoints, joints("left")) and frame.scene is None
    assert not model.encoded
    frame = tracker.update(IMAGE, 2.0, CAMERA, both(), extent=Extent.FIELD)
    assert frame.scene is not None and frame.left.surface is None and not model.reconstructed
    tracker.settings = FrameSettings()
    frame = tracker.update(IMAGE, 3.0, CAMERA, both(), extent=Extent.KEYPOINTS)
    assert np.allclose(frame.right.keypoints, joints("right") + 0.01)
    assert len(model.encoded) == 2 and not model.reconstructed


def test_a_hand_that_is_absent_or_without_a_surface_is_none():
    tracker = HandTracker(RecordingModel(lost=("left",)))
    frame = tracker.update(IMAGE, 1.0, CAMERA, both())
    assert frame.left is None and list(frame.present) == ["right"]
    frame = tracker.update(IMAGE, 2.0, CAMERA, {"left": None, "right": None})
    assert frame.left is frame.right is frame.scene is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda xyz: xyz * 1000, "keypoints_range"),
        (lambda xyz: xyz * 100, "keypoints_range"),
        (lambda xyz: xyz - [0, 0, 1], "keypoints_range"),
        (lambda xyz: xyz * [10, 10, 1], "keypoints_size"),
        (lambda xyz: xyz * 0 + [0, 0, 0.5], "keypoints_size"),
        (lambda xyz: xyz * np.nan, "keypoints_not_finite"),
        (lambda xyz: xyz[:20], "keypoints_count"),
    ],
)
def test_joints_that_cannot_be_a_hand_are_refused_before_the_model_sees_them(change, reason):
    model = RecordingModel()
    with pytest.raises(BadInput, match="left") as refused:
        HandTracker(model).update(IMAGE, 1.0, CAMERA, {"left": change(joints("left"))})
    assert refused.value.reason == reason and not model.encoded


def test_an_image_of_another_size_than_the_camera_s_is_refused():
    with pytest.raises(BadInput, match="RGB") as refused:
        HandTracker(RecordingModel()).update(IMAGE[1:], 1.0, CAMERA, both())
    assert refused.value.reason == "image_size"


def test_smoothing_begins_anew_when_a_hand_comes_back():
    model = RecordingModel()
    settings = FrameSettings(smoothing=1.0, refine_keypoints=False, tracking=False)
    tracker = HandTracker(model, settings)
    moved = joints("left") + np.float32([0.05, 0, 0])
    tracker.update(IMAGE, 1.0, CAMERA, {"left": joints("left")})
    tracker.update(IMAGE, 1.03, CAMERA, {"left": moved})
    assert 0 < np.abs(model.encoded[-1]["left"] - moved).max() < 0.05
    tracker.update(IMAGE, 1.06, CAMERA, {"left": None, "right": joints("right")})
    tracker.update(IMAGE, 1.09, CAMERA, {"left": moved})
    assert np.array_equal(model.encoded[-1]["left"], moved)


def test_swapped_hands_are_a_warning_while_the_refinement_that_sees_it_runs():
    tracker = HandTracker(RecordingModel(swapped=True), FrameSettings(tracking=False))
    ((kind, text),) = tracker.update(IMAGE, 1.0, CAMERA, both()).warnings
    assert kind == "swapped" and "mirrored" in text
    tracker.settings = FrameSettings(refine_keypoints=False, tracking=False)
    assert not tracker.update(IMAGE, 2.0, CAMERA, both()).warnings


def test_what_the_weights_lack_is_named_and_does_not_run():
    model = RecordingModel(stages=("initial", "keypoints"))
    tracker = HandTracker(model)
    assert tracker.running_stages == ("keypoints", "initial")
    assert "refine_occupancy" in tracker.missing_stages
    tracker.update(IMAGE, 1.0, CAMERA, both())
    assert model.refine_keypoints and not model.refine_occupancy
    tracker.settings = FrameSettings(refine_occupancy=False)
    assert not tracker.missing_stages


class FixedDetector:
    """Finds a right hand in every image."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def detect(self, image, camera, depth=None, *, stamp=None, previous=None):
        self.calls.append((depth, stamp))
        return {"right": SimpleNamespace(keypoints=joints("right"), confidence=0.9)}


def test_frames_without_keypoints_are_the_detector_s():
    detector = FixedDetector()
    tracker = HandTracker(RecordingModel(), FrameSettings(refine_keypoints=False), detector)
    depth = np.ones(IMAGE.shape[:2], np.float32)
    frame = tracker.update(IMAGE, 4.0, CAMERA, depth=depth)
    assert frame.left is None and np.array_equal(frame.right.keypoints, joints("right"))
    assert detector.calls == [(depth, 4.0)]
    tracker.update(IMAGE, 5.0, CAMERA, both())
    assert len(detector.calls) == 1


def test_the_detector_gets_the_refined_joints_of_the_last_frame_and_of_no_earlier_one():
    given = []

    class Forgetful(FixedDetector):
        def detect(self, image, camera, depth=None, *, stamp=None, previous=None):
            given.append(previous)
            return {} if len(given) == 3 else super().detect(image, camera)

    settings = FrameSettings(refine_keypoints=False, max_gap=0.0)
    tracker = HandTracker(RecordingModel(), settings, Forgetful())
    frames = [tracker.update(IMAGE, 4 + number / 30, CAMERA) for number in range(4)]
    assert given[0] == {} and given[3] == {}
    for number in (1, 2):
        assert np.array_equal(given[number]["right"], frames[number - 1].right.keypoints)


def test_neither_keypoints_nor_a_detector_is_said():
    with pytest.raises(ValueError, match="detector"):
        HandTracker(RecordingModel()).update(IMAGE, 1.0, CAMERA)


def test_depth_goes_to_the_model_unless_it_is_not_wanted():
    model, depth = RecordingModel(), np.ones(IMAGE.shape[:2], np.float32)
    tracker = HandTracker(model, FrameSettings(refine_keypoints=False))
    tracker.update(IMAGE, 1.0, CAMERA, both(), depth, extent=Extent.KEYPOINTS)
    tracker.settings = FrameSettings(use_depth=False)
    tracker.update(IMAGE, 1.1, CAMERA, both(), depth)
    assert model.depths[0] is depth and model.depths[1] is None


def test_networks_without_depths_go_on_without_the_depth_image_and_say_so_once():
    model, depth = RecordingModel(can_use_depth=False), np.ones(IMAGE.shape[:2], np.float32)
    tracker = HandTracker(model, FrameSettings())
    first, second = (tracker.update(IMAGE, stamp, CAMERA, both(), depth) for stamp in (1.0, 1.1))
    assert model.depths == [None, None] and first.left is not None
    assert [kind for kind, _ in first.warnings if kind == "depth_unused"] == ["depth_unused"]
    assert not [kind for kind, _ in second.warnings if kind == "depth_unused"]
    quiet = HandTracker(model, FrameSettings(use_depth=False)).update(
        IMAGE, 1.2, CAMERA, both(), depth
    )
    assert not [kind for kind, _ in quiet.warnings if kind == "depth_unused"]


def lacking(side: str, *unseen: int) -> np.ndarray:
    xyz = joints(side)
    xyz[list(unseen)] = np.nan
    return xyz


@pytest.mark.parametrize("extent", Extent)
def test_a_joint_that_was_not_seen_is_estimated_and_of_little_confidence(extent):
    model = RecordingModel()
    tracker = HandTracker(model, FrameSettings(refine_keypoints=False))
    given = {"left": joints("left"), "right": lacking("right", 7)}
    frame = tracker.update(IMAGE, 1.0, CAMERA, given, extent=extent)
    assert np.isfinite(frame.right.keypoints).all()
    assert np.linalg.norm(frame.right.keypoints[7] - joints("right")[7]) < 0.02
    assert frame.right.joint_confidence[7] <= 0.1 < frame.right.joint_confidence[8]
    assert frame.left.joint_confidence is None
    ((kind, text),) = frame.warnings
    assert kind == "unseen_joints" and text.startswith("index_dip of the right hand")


def test_a_joint_that_is_said_to_be_unseen_is_no_warning():
    tracker = HandTracker(RecordingModel())
    shares = {"right": np.float32([1] * 7 + [0] + [1] * 13)}
    given = {"right": lacking("right", 7)}
    assert not tracker.update(IMAGE, 1.0, CAMERA, given, confidence=shares).warnings


def test_a_tracker_s_confidence_lowers_that_of_the_hand():
    tracker = HandTracker(RecordingModel())
    shares = np.linspace(0.2, 1, 21, dtype=np.float32)
    frame = tracker.update(IMAGE, 1.0, CAMERA, both(), confidence={"left": shares})
    assert np.allclose(frame.left.joint_confidence, 0.5 * shares)
    assert np.isclose(frame.left.confidence, 0.3) and frame.right.confidence == 0.5
    assert np.isclose(frame.left.surface.confidence, 0.3)


def test_the_model_is_given_doubtful_joints_where_the_others_put_them():
    model = RecordingModel()
    moved = joints("left")
    moved[7] += np.float32([0.03, 0, 0])
    shares = np.float32([1] * 7 + [0.1] + [1] * 13)
    HandTracker(model).update(IMAGE, 1.0, CAMERA, {"left": moved}, confidence={"left": shares})
    off = np.linalg.norm(model.encoded[-1]["left"] - joints("left"), axis=1)
    assert off[7] < 0.015 and np.delete(off, 7).max() == 0


def test_confidence_goes_with_the_hand_when_sides_are_swapped():
    tracker = HandTracker(RecordingModel(swapped=True))
    shares = {"left": np.full(21, 0.5, np.float32)}
    frame = tracker.update(IMAGE, 1.0, CAMERA, both(), confidence=shares)
    assert frame.right.confidence == 0.25 and frame.left.confidence == 0.5


def test_a_detector_s_confidence_is_that_of_its_joints():
    frame = HandTracker(RecordingModel(), detector=FixedDetector()).update(IMAGE, 1.0, CAMERA)
    assert np.isclose(frame.right.confidence, 0.45)
