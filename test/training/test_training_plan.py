"""Plans: packaged YAML is complete, the user's replaces some of it, mistakes are named."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pytest
import yaml

from im2hands_ros.training.batches import BatchPlan
from im2hands_ros.training.plan import PACKAGED, TrainingPlan, read_plan
from im2hands_ros.training.stages import STAGES


def written(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("stage", list(STAGES))
def test_each_stage_has_a_packaged_plan_that_says_everything(stage):
    plan = read_plan(stage, STAGES[stage].plan)
    packaged = yaml.safe_load((PACKAGED / f"{stage}.yaml").read_text())
    assert yaml.safe_load(yaml.safe_dump(_plain(asdict(plan)))) == packaged
    assert plan.losses and all(weight > 0 for weight in plan.losses.values())


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple | list) else value


def test_a_file_replaces_what_it_names_and_single_values_replace_both(tmp_path):
    file = written(tmp_path, "learning_rate: 1e-4\nbatches: {scenes: 4, points: 64}")
    plan = read_plan("initial", TrainingPlan, file, {"batches.points": 32})
    packaged = read_plan("initial", TrainingPlan)
    assert plan.learning_rate == 1e-4
    assert (plan.batches.scenes, plan.batches.points) == (4, 32)
    assert plan.batches.errors == packaged.batches.errors and plan.steps == packaged.steps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepz: 3", "mine.yaml: key 'stepz' is unknown: use one of steps"),
        ("batches: {scene: 3}", "key 'batches.scene' is unknown: use one of batches.scenes"),
        ("losses: {dept: 3}", "key 'losses.dept' is unknown"),
        ("batches: 3", "'batches' is 3: it needs 'name: value' lines"),
        ("steps: many", "mine.yaml: 'steps' is 'many': it must be of type int"),
        ("steps: 1.5", "'steps' is 1.5: it must be of type int"),
        ("steps: true", "'steps' is True: it must be of type int"),
        ("learning_rate: fast", "'learning_rate' is 'fast': it must be of type float"),
        ("losses: {mask: [1]}", "'losses.mask' is .1.: it must be of type float"),
        ("save_every: 0", "save_every is 0: it must be at least 1"),
        ("precision: fp8", "precision 'fp8' is unknown: use auto, fp32, bf16, fp16"),
        ("- steps", "mine.yaml holds no 'name: value' lines"),
        ("steps: [", "mine.yaml is not YAML"),
        ("steps: !!python/object/apply:os.getcwd []", "mine.yaml is not YAML"),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_plan("initial", TrainingPlan, written(tmp_path, text))


def test_a_stages_own_values_are_read_with_their_types(tmp_path, monkeypatch):
    @dataclass(frozen=True)
    class OwnPlan(TrainingPlan):
        reach: tuple[float, float] = (0.0, 1.0)

    text = (PACKAGED / "initial.yaml").read_text()
    monkeypatch.setattr("im2hands_ros.training.plan.PACKAGED", tmp_path)
    (tmp_path / "own.yaml").write_text(f"{text}\nreach: [1, 2.5]\n")
    assert read_plan("own", OwnPlan).reach == (1.0, 2.5)
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(ValueError, match="missing reach"):
        read_plan("own", OwnPlan)


def test_the_last_steps_show_images_as_often_as_planned():
    shown = [
        BatchPlan(keypoint_only_steps=5, image_share=0.8).uses_image(step) for step in range(1005)
    ]
    assert not any(shown[:5]) and sum(shown) == pytest.approx(800, abs=2)
