"""The launch files.

They need `launch`, which is not on PyPI: they run where a ROS 2 installation provides it, or a
checkout of ros2/launch and ros2/launch_ros is on PYTHONPATH.
"""

from __future__ import annotations

import runpy
import tempfile
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from im2hands_ros.ros.demo.settings import DemoReplaySettings

pytestmark = pytest.mark.skipif(
    find_spec("launch_ros") is None, reason="ROS package 'launch_ros' is not installed"
)

ROOT = Path(__file__).resolve().parents[2]
FILES = ("camera.launch.py", "demo.launch.py", "im2hands.launch.py")


def description(file: str) -> Any:
    return runpy.run_path(str(ROOT / "launch" / file))["generate_launch_description"]()


@pytest.fixture(autouse=True)
def _parameter_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """launch_ros leaves the nodes' parameters behind in files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def told(node: Any, context: Any) -> SimpleNamespace:
    """What a launch_ros Node tells its process.

    Attributes: `namespace`, `renamed` topics, `words` (its arguments), `respawn`, and `given`, the
    parameters but those of files.
    """
    from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions
    from launch_ros.utilities import evaluate_parameters

    node._perform_substitutions(context)
    parameters = evaluate_parameters(context, node._Node__parameters)
    return SimpleNamespace(
        namespace=node.expanded_node_namespace,
        renamed=dict(node.expanded_remapping_rules or ()),
        words=[
            perform_substitutions(context, normalize_to_list_of_substitutions(each))
            for each in node._Node__arguments or ()
        ],
        respawn=node._ExecuteLocal__respawn,
        given={k: v for each in parameters if isinstance(each, dict) for k, v in each.items()},
    )


def launched(file: str, **arguments: str) -> dict[str, SimpleNamespace]:
    """Executable -> what it is `told`, for the processes that the file would start."""
    from launch import LaunchContext
    from launch_ros.actions import Node

    context = LaunchContext()
    context.launch_configurations.update(arguments)
    found: dict[str, SimpleNamespace] = {}
    waiting = [description(file)]
    while waiting:
        entity = waiting.pop()
        if isinstance(entity, Node):
            found[entity.node_executable] = told(entity, context)
        elif getattr(entity, "condition", None) is None or entity.condition.evaluate(context):
            waiting += reversed(entity.visit(context) or [])
    return found


@pytest.mark.parametrize("file", FILES)
def test_every_argument_is_documented(file: str) -> None:
    arguments = description(file).get_launch_arguments()
    assert len(arguments) >= 8
    assert all(each.description for each in arguments)


@pytest.mark.parametrize("file", FILES)
def test_every_program_that_is_launched_is_installed(file: str) -> None:
    installed = {path.name for path in (ROOT / "scripts" / "ros").iterdir()}
    programs = launched(file, view="browser").keys()
    assert programs
    assert programs <= installed


@pytest.mark.parametrize(
    ("arguments", "program"),
    [
        ({"view": "none"}, set()),
        ({"view": "rviz"}, {"rviz2", "static_transform_publisher"}),
        ({"view": "browser"}, {"viewer"}),
        ({"rviz": "false"}, set()),
        ({"rviz": "true"}, {"rviz2", "static_transform_publisher"}),
        ({"rviz": "false", "view": "browser"}, {"viewer"}),
    ],
)
def test_the_demo_is_replay_node_and_the_view_asked_for(
    arguments: dict[str, str], program: set[str]
) -> None:
    assert launched("demo.launch.py", **arguments).keys() == {"replay", "im2hands"} | program


@pytest.mark.parametrize("file", ["camera.launch.py", "demo.launch.py"])
def test_the_browser_stands_in_where_rviz_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.setenv("PATH", "")
    without = launched(file, view="none").keys()
    assert launched(file).keys() == without | {"viewer"}
    monkeypatch.setattr("im2hands_ros.ros.launching.find_spec", lambda name: None)
    assert launched(file).keys() == without


@pytest.mark.parametrize("file", ["camera.launch.py", "demo.launch.py"])
def test_rviz_comes_first_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str
) -> None:
    (tmp_path / "rviz2").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = launched(file)
    assert "rviz2" in found
    assert "viewer" not in found


def test_only_given_arguments_override_the_parameters_file() -> None:
    assert launched("im2hands.launch.py")["im2hands"].given == {}
    assert launched("im2hands.launch.py", device="cpu")["im2hands"].given == {"device": "cpu"}


def test_a_camera_s_chain_is_camera_detector_node_and_view() -> None:
    chain = {"camera_source", "detector", "im2hands"}
    assert launched("camera.launch.py", view="none").keys() == chain
    assert launched("camera.launch.py", view="browser").keys() == chain | {"viewer"}
    assert launched("camera.launch.py", view="rviz").keys() == chain | {"rviz2"}


def test_a_camera_of_one_s_own_takes_the_place_of_ours() -> None:
    found = launched("camera.launch.py", view="none", camera="false", image="/eye/image")
    assert found.keys() == {"detector", "im2hands"}


def test_only_given_arguments_reach_the_camera_source() -> None:
    assert launched("camera.launch.py", view="none")["camera_source"].given == {}
    found = launched("camera.launch.py", view="none", source="video.mp4", loop="true")
    assert found["camera_source"].given == {"source": "video.mp4", "loop": True}


@pytest.mark.parametrize("file", ["camera.launch.py", "demo.launch.py"])
@pytest.mark.parametrize("view", ["browser", "rviz"])
def test_a_namespace_is_everybody_s(file: str, view: str) -> None:
    found = launched(file, view=view, namespace="robot")
    assert len(found) >= 3
    assert {each.namespace for each in found.values()} == {"/robot"}


def test_rviz_s_topics_follow_namespace_and_images() -> None:
    expected = {"/image": "image", "/markers": "markers", "/occupancy": "occupancy"}
    assert launched("demo.launch.py", view="rviz")["rviz2"].renamed == expected
    found = launched("camera.launch.py", view="rviz", image="/eye/image")
    assert found["rviz2"].renamed == expected | {"/image": "/eye/image"}


def test_the_demo_s_frame_is_part_of_a_tree_for_rviz() -> None:
    from scipy.spatial.transform import Rotation

    words = launched("demo.launch.py", view="rviz")["static_transform_publisher"].words
    said = dict(zip(words[::2], words[1::2], strict=True))
    assert said["--child-frame-id"] == DemoReplaySettings().frame_id
    angles = [float(said.get(f"--{name}", "0")) for name in ("roll", "pitch", "yaw")]
    turn = Rotation.from_euler("xyz", angles)
    np.testing.assert_allclose(turn.apply([0, -1, 0]), [0, 0, 1], atol=1e-4)  # up is up
    np.testing.assert_allclose(turn.apply([0, 0, 1]), [1, 0, 0], atol=1e-4)  # forward is x


def test_rviz_stands_in_the_frame_of_the_images() -> None:
    assert launched("demo.launch.py", view="rviz")["rviz2"].words[-2:] == ["-f", ""]
    found = launched("camera.launch.py", view="rviz", frame_id="eye")
    assert found["rviz2"].words[-2:] == ["-f", "eye"]
    found = launched("camera.launch.py", view="rviz", frame_id="eye", fixed_frame="world")
    assert found["rviz2"].words[-2:] == ["-f", "world"]


def test_compressed_images_of_a_camera_reach_detector_node_and_browser() -> None:
    arguments = {"camera": "false", "image_transport": "compressed", "view": "browser"}
    found = launched("camera.launch.py", **arguments, port="9000")
    transports = {name: each.given["image_transport"] for name, each in found.items()}
    assert transports == dict.fromkeys(("detector", "im2hands", "viewer"), "compressed")
    assert found["viewer"].given["port"] == 9000


def test_our_camera_is_not_asked_for_compressed_images() -> None:
    with pytest.raises(ValueError, match="give camera:=false"):
        launched("camera.launch.py", view="none", image_transport="compressed")


@pytest.mark.parametrize("respawn", ["true", "True", "1", "false", "0"])
def test_a_node_that_ends_by_itself_is_started_again_on_request(respawn: str) -> None:
    node = launched("im2hands.launch.py", respawn=respawn)["im2hands"]
    assert node.respawn is (respawn in ("true", "True", "1"))


WRONG = {
    "camera.launch.py": [
        *({"width": "wide"}, {"rate": "fast"}, {"loop": "yes"}, {"port": "http"}),
        *({"palm_length": "9 cm"}, {"namespace": "robot 1"}, {"image": "my images"}),
        *({"depth": "/a//b"}, {"rviz_config": "/nowhere.rviz"}, {"resolution": "48.0"}),
    ],
    "demo.launch.py": [
        *({"rate": "fast"}, {"loop": "2"}, {"port": "80a"}, {"namespace": "/1robot"}),
        {"resolution": "fine"},
    ],
    "im2hands.launch.py": [
        *({"params_file": "/nowhere.yaml"}, {"respawn": "yes"}, {"loopback": "maybe"}),
        *({"resolution": "high"}, {"publish_tf": "x"}, {"image": ""}, {"markers": "a b"}),
    ],
}


@pytest.mark.parametrize(
    ("file", "wrong"), [(file, each) for file, given in WRONG.items() for each in given]
)
def test_a_wrong_argument_is_named_and_nothing_is_started(file: str, wrong: dict[str, str]) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError) as refusal:
        launched(file, **({} if file == "im2hands.launch.py" else {"view": "none"}), **wrong)
    assert str(refusal.value).startswith(f"launch argument {name} is '{value}': give ")


@pytest.mark.parametrize("file", FILES)
def test_a_misspelt_argument_of_the_command_line_is_named(
    monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    from launch import LaunchContext
    from launch.actions import OpaqueFunction

    def check(*arguments: str) -> None:
        opaque = next(it for it in description(file).entities if isinstance(it, OpaqueFunction))
        context = LaunchContext(argv=arguments)
        for each in description(file).get_launch_arguments():
            each.visit(context)
        opaque.visit(context)

    check("resolutoin:=48")  # an argument of the launch file that includes ours
    monkeypatch.setattr("sys.argv", ["ros2", "launch", "im2hands_ros", file])
    with pytest.raises(ValueError, match="resolutoin:=48 is not known: give resolution"):
        check("resolutoin:=48")
    # Those of an included file reach it.
    check("resolution:=48", "publish_tf:=true", "launch-prefix:=nice")


def test_values_with_spaces_reach_the_nodes_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "my robot"
    folder.mkdir()
    file = folder / "parameters 1.yaml"
    file.write_text("/**: {ros__parameters: {resolution: 48}}\n")
    found = launched("im2hands.launch.py", params_file=str(file), weights="my weights.safetensors")
    assert found["im2hands"].given == {"weights": "my weights.safetensors"}
    found = launched("camera.launch.py", view="none", source="my video.mp4", frame_id="eye 1")
    assert found["camera_source"].given == {"source": "my video.mp4", "frame_id": "eye 1"}
