"""Synthetic samples: deterministic, consistent with themselves, kept exactly on disk."""

import argparse

import numpy as np
import pytest

from im2hands_ros.camera import crop_around
from im2hands_ros.commands import synthesize as command
from im2hands_ros.skeleton import SIDES
from im2hands_ros.synthetic.dataset import (
    SPLIT_SEEDS,
    SPLIT_SIZE,
    PointCounts,
    load_shard,
    make_samples,
)
from im2hands_ros.synthetic.labels import signed_depth
from im2hands_ros.synthetic.sample import (
    MASK_IDS,
    Sample,
    hand_triangles,
    pack_depth,
    pack_points,
    unpack_depth,
    unpack_points,
)
from im2hands_ros.synthetic.shards import ShardReader, save_shard

FEW = PointCounts(40, 30)
COUNT = 10


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return list(make_samples("val", 0, COUNT, FEW))


def sides_of(sample: Sample) -> list[str]:
    return [side for side in SIDES if sample.keypoints[side] is not None]


def assert_same(first: Sample, second: Sample) -> None:
    assert first.jpeg == second.jpeg
    assert first.camera == second.camera
    assert (first.mask == second.mask).all()
    for name in ("seed", "subset", "kind"):
        assert getattr(first, name) == getattr(second, name)
    for name in ("keypoints", "points", "depth", "occupancy", "meshes"):
        for side in SIDES:
            a, b = getattr(first, name)[side], getattr(second, name)[side]
            assert (a is None) == (b is None), (name, side)
            if a is not None:
                assert a.dtype == b.dtype
                np.testing.assert_array_equal(a, b, err_msg=f"{name} {side}")


def test_sample_is_a_function_of_split_and_index(samples):
    (alone,) = make_samples("val", 3, 1, FEW)
    assert_same(alone, samples[3])


def test_splits_draw_from_disjoint_seeds():
    ranges = sorted((seed, seed + SPLIT_SIZE) for seed in SPLIT_SEEDS.values())
    assert set(SPLIT_SEEDS) == {"train", "val", "test"}
    assert all(end <= start for (_, end), (start, _) in zip(ranges[:-1], ranges[1:], strict=True))


def test_indices_outside_a_split_are_refused():
    with pytest.raises(ValueError, match="split has"):
        next(make_samples("val", SPLIT_SIZE, 1, FEW))
    with pytest.raises(ValueError, match="unknown"):
        next(make_samples("exam", 0, 1, FEW))


def test_shapes_and_types_are_as_documented(samples):
    for sample in samples:
        assert sample.image.shape == (256, 256, 3)
        assert sample.image.dtype == np.uint8
        assert sample.mask.shape == (256, 256)
        assert sides_of(sample)
        for side in sides_of(sample):
            assert sample.keypoints[side].shape == (21, 3)
            assert sample.points[side].shape == (sum(FEW), 3)
            assert sample.points[side].dtype == np.float32
            assert sample.occupancy[side].dtype == bool


def test_absent_hand_is_none_everywhere_and_not_in_the_mask(samples):
    single = [sample for sample in samples if len(sides_of(sample)) == 1]
    for sample in single:
        (absent,) = set(SIDES) - set(sides_of(sample))
        for name in ("keypoints", "points", "depth", "occupancy", "meshes", "parameters"):
            assert getattr(sample, name)[absent] is None
        assert not (sample.mask == MASK_IDS[absent]).any()


def test_keypoints_project_inside_the_picture(samples):
    for sample in samples:
        for side in sides_of(sample):
            pixels = sample.camera.project(sample.keypoints[side])
            assert pixels.min() > 4
            assert pixels.max() < 251


def test_crop_of_the_pipeline_stays_almost_inside_the_picture(samples):
    for sample in samples:
        points = np.concatenate([sample.keypoints[side] for side in sides_of(sample)])
        crop = crop_around(sample.camera, points, 128).camera
        corners = np.array([[0, 0, 1], [127, 127, 1]])
        pixels = corners @ np.linalg.inv(crop.K).T @ sample.camera.K.T
        assert pixels[:, :2].min() > -50
        assert pixels[:, :2].max() < 306


def test_visible_mask_lies_on_the_projected_mesh(samples):
    for sample in samples:
        for side in sides_of(sample):
            v, u = np.nonzero(sample.mask == MASK_IDS[side])
            pixels = sample.camera.project(sample.meshes[side])
            low, high = pixels.min(axis=0) - 1, pixels.max(axis=0) + 1
            assert (u >= low[0]).all() and (u <= high[0]).all()
            assert (v >= low[1]).all() and (v <= high[1]).all()


def test_labels_agree_with_the_reposed_mesh(samples):
    for sample in samples[:4]:
        for side in sides_of(sample):
            inside = (
                signed_depth(sample.meshes[side], hand_triangles(side), sample.points[side]) > 0
            )
            assert (inside == sample.occupancy[side]).all()
            assert 0 < inside.mean() < 1


def test_meshes_are_watertight_with_positive_volume(samples):
    import trimesh

    sample = samples[0]
    for side in sides_of(sample):
        mesh = trimesh.Trimesh(sample.meshes[side], hand_triangles(side), process=False)
        assert mesh.is_watertight
        assert mesh.volume > 5e-5


def test_packed_points_lose_less_than_a_hundredth_of_a_millimetre():
    rng = np.random.default_rng(0)
    wrist = np.float32([0.1, -0.2, 0.6])
    points = wrist + rng.uniform(-0.3, 0.3, (200, 3)).astype(np.float32)
    kept = unpack_points(pack_points(points, wrist), wrist)
    assert np.abs(kept - points).max() < 6e-6
    np.testing.assert_array_equal(unpack_points(pack_points(kept, wrist), wrist), kept)


def test_packed_depth_keeps_its_sign():
    depth = np.float32([-0.02, -1e-9, 0.0, 1e-9, 0.0123456, 0.02])
    kept = unpack_depth(pack_depth(depth))
    assert (np.sign(kept) == np.sign(depth)).all()
    assert np.abs(kept - depth).max() <= 1.01e-6


def test_shard_round_trip_is_exact(samples, tmp_path):
    path = tmp_path / "some" / "shard.npz"
    save_shard(path, samples)
    loaded = load_shard(path)
    assert len(loaded) == COUNT
    for before, after in zip(samples, loaded, strict=True):
        assert_same(before, after)


def test_reader_gives_single_samples(samples, tmp_path):
    save_shard(tmp_path / "shard.npz", samples)
    reader = ShardReader(tmp_path / "shard.npz")
    assert_same(reader[COUNT - 1], samples[-1])
    with pytest.raises(IndexError, match="shard has"):
        reader[COUNT]


def test_file_of_another_format_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="synthesize it again"):
        ShardReader(tmp_path / "other.npz")


def synthesize(out, **changed) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    words = ["--split", "val", "--out", str(out), "--workers", "1"]
    for name, value in {"count": 3, "shard-size": 2, **changed}.items():
        words += [f"--{name}", str(value)]
    return command.run(parser.parse_args(words))


def test_synthesize_writes_missing_shards_and_keeps_the_others(samples, tmp_path, capsys):
    kept, written = tmp_path / "val_00000000_0002.npz", tmp_path / "val_00000002_0001.npz"
    save_shard(kept, samples[:2])
    before = kept.read_bytes()
    assert synthesize(tmp_path) == 0
    assert kept.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [kept.name, written.name]
    (sample,) = load_shard(written)
    assert sample.seed == samples[2].seed
    np.testing.assert_array_equal(sample.mask, samples[2].mask)
    assert "2 shards, 3 samples" in capsys.readouterr().out


def test_synthesize_refuses_a_senseless_count(tmp_path):
    with pytest.raises(ValueError, match="--count 0"):
        synthesize(tmp_path, count=0)
