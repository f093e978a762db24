"""Calls of one function spread over processes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any, TypeVar

Result = TypeVar("Result")


def spread(
    function: Callable[..., Result], arguments: Sequence[tuple[Any, ...]], processes: int
) -> Iterator[tuple[int, Result]]:
    """Call `function` with each of `arguments`; yield (index, result) as they end. One process: this one, in order."""
    if processes == 1 or len(arguments) < 2:
        yield from ((index, function(*given)) for index, given in enumerate(arguments))
        return
    with ProcessPoolExecutor(min(processes, len(arguments)), mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(function, *given): index for index, given in enumerate(arguments)}
        for job in as_completed(jobs):
            yield jobs[job], job.result()
