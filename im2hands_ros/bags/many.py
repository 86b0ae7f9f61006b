"""The same work for many recordings: on this machine's cores, or on a Ray cluster."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple, TypeVar

RAY = "ray://"
_SUFFIX = "_hands.mcap"
_PART = ".part.mcap"
_KILLED = "its process was killed, perhaps for want of memory: give fewer --workers and try again"

T = TypeVar("T")
R = TypeVar("R")


class Recording(NamedTuple):
    """A bag and the file that its results are for."""

    bag: Path
    out: Path

    @property
    def part(self) -> Path:
        """What is written until the results are complete."""
        return self.out.with_name(self.out.name.removesuffix(".mcap") + _PART)

    def clear(self) -> None:
        """Remove what an earlier try left half done."""
        self.part.unlink(missing_ok=True)
        shutil.rmtree(self.part.with_name(f"{self.part.name}.part"), ignore_errors=True)

    def complete(self) -> None:
        """Let the results appear under their name."""
        self.part.replace(self.out)


def recordings(bags: Sequence[Path], folder: Path) -> list[Recording]:
    """A file of results in a folder for each bag, called as the bag, with the folders above it
    where two bags have one name.

    Raises ValueError for a bag that is given twice.
    """
    found = [bag.resolve() for bag in bags]
    if doubled := {bag for bag in found if found.count(bag) > 1}:
        raise ValueError(f"'{doubled.pop()}' is given twice: give each bag once")
    names = [bag.name.partition(".")[0] for bag in found]
    if len(set(names)) < len(names):
        above = os.path.commonpath(found)
        names = ["_".join(bag.relative_to(above).parts).partition(".")[0] for bag in found]
    if len(set(names)) < len(names):
        raise ValueError("two bags differ in their suffix alone: give one of them")
    outs = (folder / f"{name}{_SUFFIX}" for name in names)
    return [Recording(*each) for each in zip(bags, outs, strict=True)]


def run_all(
    work: Callable[[T], R], jobs: Sequence[T], workers: str
) -> Iterator[tuple[T, R | Exception]]:
    """Do all jobs, in no order; each with its result, or with the exception that it raised.

    Args:
        work: a function of a module, which other processes can import.
        jobs: what can be pickled.
        workers: how many processes, or ``ray://HOST:PORT`` of a cluster whose machines have this
            package and see the same files.

    Raises:
        ValueError: workers that are neither.
        RuntimeError: Ray is not installed.
    """
    if workers.startswith(RAY):
        return run_on_ray(work, jobs, address=workers)
    if not workers.isdecimal() or not int(workers):
        raise ValueError(f"--workers {workers}: give a number of processes, or {RAY}HOST:PORT")
    return _run_here(work, jobs, int(workers))


def _run_here(
    work: Callable[[T], R], jobs: Sequence[T], count: int
) -> Iterator[tuple[T, R | Exception]]:
    # Each process has a core: threads of several networks would only wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A pool for each: where one for all would break, the process that was killed has one bag.
    idle, left = [_one_process() for _ in range(min(count, len(jobs)))], deque(jobs)
    running: dict[Future[R], tuple[T, ProcessPoolExecutor]] = {}
    try:
        while left or running:
            while left and idle:
                job, pool = left.popleft(), idle.pop()
                running[pool.submit(work, job)] = job, pool
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job, pool = running.pop(future)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    pool.shutdown()
                    pool, error = _one_process(), RuntimeError(_KILLED)
                if error is not None and not isinstance(error, Exception):
                    raise error
                idle.append(pool)
                yield job, error if error is not None else future.result()
    finally:
        for pool in (*idle, *(pool for _, pool in running.values())):
            pool.shutdown(cancel_futures=True)


def _one_process() -> ProcessPoolExecutor:
    # A fork would copy torch's threads without their locks.
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def run_on_ray(
    work: Callable[[T], R], jobs: Sequence[T], **options: object
) -> Iterator[tuple[T, R | Exception]]:
    """As `run_all`, on a Ray cluster; options are of ``ray.init``."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as error:
        raise RuntimeError(
            f"--workers {RAY}… needs Ray ({error}): pip install 'im2hands_ros[cluster]'"
        ) from error
    ray.init(**options)
    try:
        remote = ray.remote(work)
        running = {remote.remote(job): job for job in jobs}
        while running:
            (done, *_), _ = ray.wait(list(running))
            job = running.pop(done)
            try:
                result: R | Exception = ray.get(done)
            except ray.exceptions.RayError as error:
                cause = getattr(error, "cause", None)
                result = cause if isinstance(cause, Exception) else error
            yield job, result
    finally:
        ray.shutdown()
