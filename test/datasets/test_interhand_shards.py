"""InterHand2.6M converted: shards, going on after an interruption, refusals, training."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from im2hands_ros.datasets import interhand
from im2hands_ros.datasets.scenes import (
    ConversionSettings,
    make_sample,
)
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.shards import load_shard, save_shard
from im2hands_ros.training.batches import BatchPlan, draw_batch
from im2hands_ros.training.distributed import Processes
from im2hands_ros.training.plan import TrainingPlan, read_plan
from im2hands_ros.training.scene_folder import SceneFolder
from im2hands_ros.training.stages import make_stage
from im2hands_ros.training.trainer import Trainer

SMALL = ConversionSettings("test", near=200, volume=100)


def convert(data, out, *more, split="test"):
    root, mano = data
    words = ["--root", root, "--mano", mano, "--split", split, "--out", out, "--workers", 1]
    return interhand.main([str(word) for word in (*words, "--points", "200,100", *more)])


def test_converted_shards_read_back_with_their_own_meshes(data, frames, hand, tmp_path, capsys):
    assert convert(data, tmp_path, "--shard-size", 3) == 0
    names = ["test_00000000_0003.npz", "test_00000003_0002.npz"]
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == names
    loaded = [sample for name in names for sample in load_shard(tmp_path / name)]
    assert len(loaded) == 4
    for sample, frame in zip(loaded, frames, strict=False):
        made = make_sample(frame, hand, SMALL)
        assert (sample.jpeg, sample.camera, sample.seed) == (made.jpeg, made.camera, made.seed)
        assert (sample.subset, sample.kind) == ("interacting", "ROM07_Rt_Finger_Occlusions")
        assert np.array_equal(sample.mask, made.mask)
        for side in SIDES:
            assert np.array_equal(sample.meshes[side], made.meshes[side])
            assert np.array_equal(sample.triangles_of(side), made.triangles_of(side))
            assert np.array_equal(sample.points[side], made.points[side])
            assert np.array_equal(sample.depth[side], made.depth[side])
            assert sample.parameters[side] is None
        assert sample.near == 200
    record = json.loads((tmp_path / "test.json").read_text())
    assert record["conversion"]["near"] == 200 and record["not_selected"]["one hand"] == 1
    printed = capsys.readouterr().out
    assert "4 of 5 pictures" in printed and "nearly black" in printed and "mean 0.0 mm" in printed


def test_an_interrupted_conversion_goes_on_and_another_one_is_refused(data, tmp_path, capsys):
    assert convert(data, tmp_path, "--shard-size", 2) == 0
    first, second = sorted(tmp_path.glob("*_0002.npz"))
    before = first.read_bytes()
    second.unlink()
    stamp = first.stat().st_mtime_ns
    assert convert(data, tmp_path, "--shard-size", 2) == 0
    assert second.exists() and first.read_bytes() == before
    assert first.stat().st_mtime_ns == stamp
    assert convert(data, tmp_path, "--shard-size", 2, "--every", 2) == 2
    assert "another conversion" in capsys.readouterr().err


def test_several_workers_write_what_one_writes(data, tmp_path):
    assert convert(data, tmp_path / "one", "--limit", 2) == 0
    root, mano = data
    words = ["--root", root, "--mano", mano, "--split", "test", "--out", tmp_path / "two"]
    words += ["--points", "200,100", "--limit", 2, "--workers", 2]
    assert interhand.main([str(word) for word in words]) == 0
    name = "test_00000000_0002.npz"
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--root", "{}/nothing"], "no {}/nothing/annotations/test/InterHand2.6M_test_data.json"),
        (["--mano", "{}/nothing"], "no file {}/nothing/MANO_LEFT.pkl"),
        (["--every", "0"], "--every 0"),
        (["--points", "7"], "--points 7"),
        (["--fill", "3"], "fill 3.0"),
    ],
)
def test_errors_are_one_line_with_the_remedy(data, tmp_path, capsys, arguments, message):
    assert convert(data, tmp_path, *(a.format(tmp_path) for a in arguments)) == 2
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 1 and message.format(tmp_path) in printed[0]


def test_shards_of_posed_and_of_meshed_hands_do_not_mix(frames, hand, tmp_path):
    meshed = make_sample(frames[0], hand, SMALL)
    posed = dataclasses.replace(meshed, surfaces=None)
    with pytest.raises(ValueError, match="shards of their own"):
        save_shard(tmp_path / "mixed.npz", [meshed, posed])


def test_training_learns_from_converted_shards(data, tmp_path):
    assert convert(data, tmp_path / "data", split="train") == 0
    scenes = SceneFolder(tmp_path / "data")
    assert len(scenes) == 4
    assert "CC BY-NC" in scenes.origin()["licence"]
    (tmp_path / "data/train.json").unlink()
    assert scenes.origin() == {}
    drawing = BatchPlan(scenes=2, points=128, image_size=192, keypoint_only_steps=3)
    plan = dataclasses.replace(
        read_plan("initial", TrainingPlan), steps=8, warm_up=1, batches=drawing
    )
    alone = Processes(torch.device("cpu"))
    stage = make_stage("initial", plan, None, alone.device)
    trainer = Trainer(stage, plan, tmp_path / "run", alone)
    batch = draw_batch(scenes, drawing, 0)
    losses = [trainer.learner.train_step(batch)["depth_mm"] for _ in range(6)]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    shown = trainer.learner.train_step(draw_batch(scenes, drawing, 3))
    assert set(shown) == {"depth_mm", "occupancy", "mask", "joints"}
    assert np.isfinite(list(shown.values())).all()
