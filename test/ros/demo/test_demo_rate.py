"""The demo sends as many frames as this machine answers."""

import argparse

import pytest

from im2hands_ros.commands import demo
from im2hands_ros.ros.demo.rate import frame_seconds, rate_for
from im2hands_ros.synthetic.demo_sequence import load_demo_sequence


@pytest.mark.parametrize(
    ("milliseconds", "rate"), [(5, 15), (40, 15), (41, 10), (61, 5), (150, 3), (400, 1), (9000, 1)]
)
def test_slower_machines_get_fewer_frames(milliseconds, rate):
    assert rate_for(milliseconds / 1e3) == rate


def test_whole_frames_of_the_sequence_are_timed():
    sequence, done = load_demo_sequence(), []

    class Model:
        def warm_up(self, resolution):
            done.append(("warm", resolution))

        def encode(self, image, keypoints, camera):
            done.append((image.shape, set(keypoints), camera))
            return self

        def reconstruct(self, resolution):
            done.append(("found", resolution))

    assert 0 <= frame_seconds(Model(), sequence, 48, frames=3) < 1
    assert done[0] == ("warm", 48) and done.count(("found", 48)) == 3
    assert done[1][0][2] == 3 and done[1][2] is sequence.camera


def test_the_rate_is_measured_and_said_unless_it_is_given(monkeypatch, capsys):
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    played = []
    monkeypatch.setattr(demo, "_missing", lambda view: None)
    monkeypatch.setattr(demo, "play_and_report", lambda args, truth: played.append(args.rate) or 0)
    monkeypatch.setattr("im2hands_ros.ros.demo.rate.frame_seconds", lambda *_: 0.05)
    assert demo.run(parser.parse_args(["--device", "cpu"])) == 0
    assert "a frame takes 50 ms here: playing 10 a second" in capsys.readouterr().out
    assert demo.run(parser.parse_args(["--rate", "7"])) == 0
    assert played == [10.0, 7.0] and not capsys.readouterr().out


def test_weights_that_are_missing_are_said_before_anything_starts(monkeypatch, capsys, tmp_path):
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    monkeypatch.setattr(demo, "_missing", lambda view: None)
    missing = tmp_path / "none.safetensors"
    status = demo.run(parser.parse_args(["--weights", str(missing), "--device", "cpu"]))
    assert status == demo.EXIT_CANNOT_RUN and str(missing) in capsys.readouterr().err
