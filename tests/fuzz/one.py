"""Fuzz one target in this process: `python -m tests.fuzz.one NAME SECONDS SEED FOLDER [plain]`.

With atheris the inputs are guided by what they cover; without it they are changed at random. An input that breaks the
target is left in the folder. The last line tells how many were tried.
"""

import contextlib
import hashlib
import importlib
import json
import logging
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import structlog

LONGEST_S = 5
MOST_MIB = 512


def main(name: str, seconds: int, seed: int, folder: Path, *, plain: bool) -> int:
    """Fuzz; return the exit code."""
    guide = None if plain else _atheris()
    with guide.instrument_imports(include=["agent"]) if guide else contextlib.nullcontext():
        targets = importlib.import_module("tests.fuzz.targets").TARGETS
    seeds: Sequence[bytes] = targets[name].seeds()
    for one in seeds:
        targets[name].run(one)
    folder.mkdir(parents=True, exist_ok=True)
    return (_guided(guide) if guide else _plain)(targets[name].run, seeds, seconds, seed, folder)


def _atheris() -> Any:
    try:
        return importlib.import_module("atheris")
    except ImportError:
        return None


def _too_long(*_: object) -> NoReturn:
    raise TimeoutError(f"one input took longer than {LONGEST_S} s")


def _plain(run: Callable[[bytes], None], seeds: Sequence[bytes], seconds: int, seed: int, folder: Path) -> int:
    from tests.fuzz.mutate import mutated

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
    return 0


def _guided(atheris: Any) -> Callable[..., int]:
    def run_guided(run: Callable[[bytes], None], seeds: Sequence[bytes], seconds: int, seed: int, folder: Path) -> int:
        corpus = folder / "corpus"
        corpus.mkdir(exist_ok=True)
        for one in seeds:
            (corpus / hashlib.sha1(one, usedforsecurity=False).hexdigest()).write_bytes(one)
        options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={LONGEST_S}", "-print_final_stats=1"]
        options += [f"-rss_limit_mb={MOST_MIB}", f"-artifact_prefix={folder}/", "-max_len=65536", str(corpus)]
        atheris.Setup([sys.argv[0], *options], run)
        atheris.Fuzz()  # ends this process
        return 0

    return run_guided


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), plain=sys.argv[5:] == ["plain"]))
