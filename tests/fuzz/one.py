"""Fuzz one target in this process.

With atheris the inputs are guided by what they cover; without it they are changed at random. An input that breaks the
target is left in the folder. The last lines tell how many were tried.
"""

import contextlib
import hashlib
import importlib
import json
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from tests.fuzz.mutate import mutated

LONGEST_S = 5
MOST_MIB = 512


def load(atheris: Any = None) -> Mapping[str, Any]:
    """Import the targets, and with atheris what they run so that it tells what it covers."""
    with atheris.instrument_imports(include=["agent"]) if atheris else contextlib.nullcontext():
        found: Mapping[str, Any] = importlib.import_module("tests.fuzz.targets").TARGETS
        return found


def fuzz(folder: Path, target: Any, seconds: int, seed: int, atheris: Any = None) -> None:
    """Fuzz a target; what raises, or ends the process, broke it."""
    seeds: Sequence[bytes] = target.seeds()
    for one in seeds:
        target.run(one)
    (_guided(atheris) if atheris else _plain)(target.run, seeds, seconds, seed, folder)


def _too_long(*_: object) -> NoReturn:
    raise TimeoutError(f"one input took longer than {LONGEST_S} s")


def _plain(run: Callable[[bytes], None], seeds: Sequence[bytes], seconds: int, seed: int, folder: Path) -> None:
    chance, tried, until = random.Random(seed), 0, time.monotonic() + seconds
    signal.signal(signal.SIGALRM, _too_long)
    while time.monotonic() < until:
        data = mutated(seeds, chance)
        signal.alarm(LONGEST_S)
        try:
            run(data)
        except BaseException:
            (folder / f"crash-{hashlib.sha1(data, usedforsecurity=False).hexdigest()}").write_bytes(data)
            raise
        finally:
            signal.alarm(0)
        tried += 1
    print(json.dumps({"inputs": tried, "guided": False}), flush=True)


def _guided(atheris: Any) -> Callable[..., None]:
    def run_guided(run: Callable[[bytes], None], seeds: Sequence[bytes], seconds: int, seed: int, folder: Path) -> None:
        corpus = folder / "corpus"
        corpus.mkdir(exist_ok=True)
        for one in seeds:
            (corpus / hashlib.sha1(one, usedforsecurity=False).hexdigest()).write_bytes(one)
        options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={LONGEST_S}", "-print_final_stats=1"]
        options += [f"-rss_limit_mb={MOST_MIB}", f"-artifact_prefix={folder}/", "-max_len=65536", str(corpus)]
        atheris.Setup([sys.argv[0], *options], run)
        atheris.Fuzz()  # ends this process

    return run_guided
