"""The parameters' defaults and file say the same, and wrong values are refused."""

from __future__ import annotations

from dataclasses import asdict, fields

import pytest
import rclpy
import yaml
from harness import ROOT
from rcl_interfaces.msg import ParameterDescriptor

from im2hands_ros.parameter_schema import yaml_of
from im2hands_ros.ros.base_node import declare_parameters
from im2hands_ros.ros.parameters import Settings


def test_the_yaml_file_holds_the_defaults():
    text = (ROOT / "config/im2hands.yaml").read_text()
    assert yaml.safe_load(text) == {"/**": {"ros__parameters": asdict(Settings())}}
    assert text == yaml_of(Settings)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("preset", "huge", "parameter preset is 'huge': give compact"),
        ("device", "cuda:x", "give auto, cpu, cuda, cuda:N"),
        ("precision", "fp8", "give auto, fp32, bf16, fp16"),
        ("resolution", 16, "give a value from 32 to 256"),
        ("occupancy_threshold", 1.0, "from 0.05 to 0.95"),
        ("occupancy_voxel_size", 0.0, "from 0.002 to 0.05"),
        ("image_transport", "theora", "give raw, compressed"),
        ("keypoints_type", "markers", "give hand_keypoints, pose_array"),
        ("sync_slop", -0.1, "from 0.0 to 1.0"),
        ("latency_budget_ms", -1.0, "from 0.0 to 10000.0"),
        ("smoothing", 31.0, "from 0.0 to 30.0"),
        ("max_age", float("nan"), "from 0.0 to 60.0"),
    ],
)
def test_a_value_out_of_range_is_named_with_what_to_give(name, value, said):
    with pytest.raises(ValueError, match=said):
        Settings(**{name: value})


def test_every_parameter_is_declared_with_description_range_and_read_only_rule():
    node = rclpy.create_node("parameters")
    try:
        assert declare_parameters(node, Settings) == Settings()
        for each in fields(Settings):
            descriptor: ParameterDescriptor = node.describe_parameter(each.name)
            assert len(descriptor.description) > 15
            assert descriptor.read_only != each.metadata["live"]
            if each.metadata["range"]:
                bounds = [*descriptor.integer_range, *descriptor.floating_point_range]
                assert [(b.from_value, b.to_value) for b in bounds] == [each.metadata["range"]]
    finally:
        node.destroy_node()
