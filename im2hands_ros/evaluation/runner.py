"""Every method under every condition, scene by scene: what is true is prepared once per scene.

Networks run here, alone, so that their times are times of a frame; scores and baselines can be
left to other processes.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from im2hands_ros.evaluation.cache import ScoreCache
from im2hands_ros.evaluation.inputs import Case, case_of
from im2hands_ros.evaluation.methods import Answer, Method, baseline_method
from im2hands_ros.evaluation.noise_levels import BASELINES, Condition, Level
from im2hands_ros.evaluation.scoring import SceneScores, score_answer, subset_of, true_hands
from im2hands_ros.synthetic.sample import Sample

# Scenes that go together: one fit for all their hands, one message to a worker.
BATCH = 16
Answers = dict[Condition, list[Answer]]
Scored = dict[Condition, list[SceneScores]]


@dataclass(frozen=True)
class Plan:
    """Methods and levels of noise, and how many near-surface points of a sample are left out.

    near: for samples that do not say it themselves. cache: folder of the baselines' scores.
    """

    methods: tuple[str, ...]
    levels: tuple[Level, ...]
    near: int
    cache: Path | None = None

    @property
    def conditions(self) -> list[Condition]:
        """Every method at the first level, then at the next."""
        return [Condition(name, level) for level in self.levels for name in self.methods]

    def near_of(self, sample: Sample) -> int:
        """How many of the sample's points to leave out."""
        return self.near if sample.near is None else sample.near

    def cases(self, samples: Iterable[Sample], level: Level) -> list[Case]:
        """What methods are given of the samples at a level."""
        return [case_of(sample, level, self.near_of(sample)) for sample in samples]


def run_trials(
    samples: list[Sample], plan: Plan, networks: dict[str, Method], workers: int = 0
) -> Scored:
    """Scores of all scenes, in their order, by condition.

    networks: methods of the plan that are no baselines. workers: processes for everything but the
        networks; 0: this one.
    """
    scored: Scored = {condition: [] for condition in plan.conditions}
    frames = len(samples) * len(scored)
    with _executor(workers) as executor, tqdm(total=frames, desc="scored", unit="frame") as bar:
        for part in _scored_batches(samples, plan, networks, executor, 2 * workers, bar):
            for condition, scenes in part.items():
                scored[condition] += scenes
                bar.update(len(scenes) if condition.method in BASELINES else 0)
    return scored


def score_batch(samples: list[Sample], plan: Plan, answers: Answers) -> Scored:
    """Scores of a few scenes from the networks' answers and those of the baselines."""
    cases = {level: plan.cases(samples, level) for level in plan.levels}
    cache = ScoreCache(plan.cache)
    baselines = [condition for condition in plan.conditions if condition.method in BASELINES]
    kept = {c: cache.read(c.method, samples, cases[c.noise_mm]) for c in baselines}
    missing = [condition for condition in baselines if kept[condition] is None]
    answers = answers | _baseline_answers(missing, cases)
    true = [true_hands(sample, plan.near_of(sample)) for sample in samples]
    scored: Scored = {}
    for condition in plan.conditions:
        given = cases[condition.noise_mm]
        stages: list[dict[str, float]] = [{}] * len(samples)
        scores = kept.get(condition)
        if scores is None:
            found = answers[condition]
            scores = [score_answer(*three) for three in zip(true, given, found, strict=True)]
            stages = [answer.stages_ms for answer in found]
        if condition in missing:
            cache.write(condition.method, samples, given, scores)
        subsets = map(subset_of, samples)
        scored[condition] = [*map(SceneScores, subsets, scores, stages)]
    return scored


def _scored_batches(
    samples: list[Sample],
    plan: Plan,
    networks: dict[str, Method],
    executor: Executor,
    most_waiting: int,
    bar: tqdm,
) -> Iterator[Scored]:
    waiting: deque[Future[Scored]] = deque()
    for start in range(0, len(samples), BATCH):
        batch = samples[start : start + BATCH]
        cases = {level: plan.cases(batch, level) for level in plan.levels}
        answers: Answers = {
            Condition(name, level): [_counted(method, case, bar) for case in cases[level]]
            for name, method in networks.items()
            for level in plan.levels
        }
        waiting.append(executor.submit(score_batch, batch, plan, answers))
        while len(waiting) > most_waiting:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _counted(network: Method, case: Case, bar: tqdm) -> Answer:
    answer = network([case])[0]
    bar.update()
    return answer


def _baseline_answers(conditions: list[Condition], cases: dict[Level, list[Case]]) -> Answers:
    """Baselines take the cases of all levels at once: a fit of more hands costs less for each."""
    answers: Answers = {}
    for name in dict.fromkeys(condition.method for condition in conditions):
        own = [condition for condition in conditions if condition.method == name]
        together = [case for condition in own for case in cases[condition.noise_mm]]
        found = iter(baseline_method(name)(together))
        for condition in own:
            answers[condition] = [next(found) for _ in cases[condition.noise_mm]]
    return answers


class _Here(Executor):
    """Does what it is given at once, in this process."""

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*arguments, **named))
        return done


def _executor(workers: int) -> Executor:
    if not workers:
        return _Here()
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=_use_one_thread)


def _use_one_thread() -> None:
    """More would only fight the other workers for the cores."""
    os.environ["IGL_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
