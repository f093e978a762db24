"""Randomness and identity of synthetic patients: everything follows from the seed and who the patient is."""

import hashlib

import numpy as np


def _digest(seed: int, *parts: str) -> bytes:
    return hashlib.sha256("\x1f".join((str(seed), *parts)).encode()).digest()


def generator(seed: int, *parts: str) -> np.random.Generator:
    """Return a random generator of its own for what `parts` name."""
    return np.random.default_rng(int.from_bytes(_digest(seed, *parts)[:16]))


def uid(seed: int, *parts: str) -> str:
    """Return a UID for what `parts` name, derived from a UUID (PS3.5 B.2); the same parts give the same UID."""
    return f"2.25.{int.from_bytes(_digest(seed, 'uid', *parts)[:16])}"


def number(seed: int, *parts: str) -> int:
    """Return a large number for what `parts` name; the same parts give the same number."""
    return int.from_bytes(_digest(seed, "number", *parts)[:8])
