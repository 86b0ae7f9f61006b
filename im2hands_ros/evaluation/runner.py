"""Every method at every noise level, scene by scene: what is true is prepared once per scene.

Networks run here, alone, so that their times are times of a frame; scores and baselines can be
left to other processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from im2hands_ros.evaluation.cache import ScoreCache
from im2hands_ros.evaluation.inputs import EvaluationInput, input_of
from im2hands_ros.evaluation.methods import Method, Prediction, baseline_method
from im2hands_ros.evaluation.noise_levels import BASELINES, Configuration, NoiseLevel
from im2hands_ros.evaluation.scoring import SceneScores, score_prediction, subset_of, true_hands
from im2hands_ros.synthetic.sample import Sample
from im2hands_ros.synthetic.worker_pool import use_one_thread

# Scenes that go together: one fit for all their hands, one message to a worker.
BATCH = 16
Predictions = dict[Configuration, list[Prediction]]
Scored = dict[Configuration, list[SceneScores]]


@dataclass(frozen=True)
class EvaluationPlan:
    """Methods and noise levels, and how many near-surface points of a sample are left out.

    near: for samples that do not state it themselves. cache: folder of the baselines' scores.
    offsets: (21, 3) from where the samples have their joints to where the networks do, metres.
    depth_camera: whose depth images the networks are given; None: none.
    """

    methods: tuple[str, ...]
    levels: tuple[NoiseLevel, ...]
    near: int
    cache: Path | None = None
    offsets: NDArray[np.float64] | None = None
    depth_camera: str | None = None

    @property
    def configurations(self) -> list[Configuration]:
        """Every method at the first level, then at the next."""
        return [Configuration(name, level) for level in self.levels for name in self.methods]

    def near_of(self, sample: Sample) -> int:
        """How many of the sample's points to leave out."""
        return self.near if sample.near is None else sample.near

    def inputs(self, samples: Iterable[Sample], level: NoiseLevel) -> list[EvaluationInput]:
        """What methods are given of the samples at a noise level."""
        offsets, camera = self.offsets, self.depth_camera
        return [input_of(each, level, self.near_of(each), offsets, camera) for each in samples]


def run_evaluation(
    samples: list[Sample], plan: EvaluationPlan, networks: dict[str, Method], workers: int = 0
) -> Scored:
    """Scores of all scenes, in their order, by configuration.

    networks: methods of the plan that are no baselines. workers: processes for everything but the
        networks; 0: this one.
    """
    scored: Scored = {configuration: [] for configuration in plan.configurations}
    frames = len(samples) * len(scored)
    with _executor(workers) as executor, tqdm(total=frames, desc="scored", unit="frame") as bar:
        for part in _scored_batches(samples, plan, networks, executor, 2 * workers, bar):
            for configuration, scenes in part.items():
                scored[configuration] += scenes
                bar.update(len(scenes) if configuration.method in BASELINES else 0)
    return scored


def score_batch(samples: list[Sample], plan: EvaluationPlan, predictions: Predictions) -> Scored:
    """Scores of a few scenes from the networks' predictions and those of the baselines."""
    inputs = {level: plan.inputs(samples, level) for level in plan.levels}
    cache = ScoreCache(plan.cache)
    baselines = [each for each in plan.configurations if each.method in BASELINES]
    cached = {each: cache.read(each.method, samples, inputs[each.noise_mm]) for each in baselines}
    missing = [each for each in baselines if cached[each] is None]
    predictions = predictions | _baseline_predictions(missing, inputs)
    true = [true_hands(sample, plan.near_of(sample), plan.offsets) for sample in samples]
    scored: Scored = {}
    for configuration in plan.configurations:
        given = inputs[configuration.noise_mm]
        stages: list[dict[str, float]] = [{}] * len(samples)
        scores = cached.get(configuration)
        if scores is None:
            found = predictions[configuration]
            scores = [score_prediction(*three) for three in zip(true, given, found, strict=True)]
            stages = [prediction.stages_ms for prediction in found]
        if configuration in missing:
            cache.write(configuration.method, samples, given, scores)
        subsets = map(subset_of, samples)
        scored[configuration] = [*map(SceneScores, subsets, scores, stages)]
    return scored


def _scored_batches(
    samples: list[Sample],
    plan: EvaluationPlan,
    networks: dict[str, Method],
    executor: Executor,
    most_waiting: int,
    bar: tqdm,
) -> Iterator[Scored]:
    waiting: deque[Future[Scored]] = deque()
    for start in range(0, len(samples), BATCH):
        batch = samples[start : start + BATCH]
        inputs = {level: plan.inputs(batch, level) for level in plan.levels}
        predictions: Predictions = {
            Configuration(name, level): [_predict(method, given, bar) for given in inputs[level]]
            for name, method in networks.items()
            for level in plan.levels
        }
        waiting.append(executor.submit(score_batch, batch, plan, predictions))
        while len(waiting) > most_waiting:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _predict(network: Method, given: EvaluationInput, bar: tqdm) -> Prediction:
    prediction = network([given])[0]
    bar.update()
    return prediction


def _baseline_predictions(
    configurations: list[Configuration], inputs: dict[NoiseLevel, list[EvaluationInput]]
) -> Predictions:
    """Baselines take the inputs of all levels at once: a fit of more hands costs less for each."""
    predictions: Predictions = {}
    for name in dict.fromkeys(each.method for each in configurations):
        own = [each for each in configurations if each.method == name]
        found = iter(baseline_method(name)([i for each in own for i in inputs[each.noise_mm]]))
        for each in own:
            predictions[each] = [next(found) for _ in inputs[each.noise_mm]]
    return predictions


class _SerialExecutor(Executor):
    """Runs every call at once, in this process."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*arguments, **named))
        return done


def _executor(workers: int) -> Executor:
    if not workers:
        return _SerialExecutor()
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=use_one_thread)
