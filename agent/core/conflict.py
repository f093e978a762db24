"""What only a person can decide about a case, and what was decided. Evidence alone makes a conflict: no order does."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Final


class ConflictKind(StrEnum):
    """Why a case is held."""

    DEMOGRAPHICS = "demographics"  # name, birth date or sex contradict each other under one patient key
    SHARED_STUDY = "shared_study"  # two patient keys in one study
    CORRECTION = "correction"  # the same SOP Instance UID with other patient or study attributes
    PIXELS = "pixels"  # the same SOP Instance UID with other pixels
    LATERALITY = "laterality"  # no image shows the side that the clinical facts give
    STRANDED = "stranded"  # a result is out whose images turned out to be another patient's


class Ruling(StrEnum):
    """What a person may say."""

    MERGE = "merge"  # they are one patient
    SPLIT = "split"  # they are two
    DROP = "drop"  # leave out what contradicts
    ACCEPT = "accept"  # the later object supersedes; or: go on in spite of it


_R: Final = Ruling
ALLOWED: Final = MappingProxyType(
    {
        ConflictKind.DEMOGRAPHICS: frozenset({_R.MERGE, _R.SPLIT, _R.DROP}),
        ConflictKind.SHARED_STUDY: frozenset({_R.MERGE, _R.SPLIT, _R.DROP}),
        ConflictKind.CORRECTION: frozenset({_R.ACCEPT, _R.DROP}),
        ConflictKind.PIXELS: frozenset({_R.ACCEPT, _R.DROP}),
        ConflictKind.LATERALITY: frozenset({_R.ACCEPT, _R.DROP}),
        ConflictKind.STRANDED: frozenset({_R.ACCEPT}),
    }
)
"""By kind of conflict, the rulings that mean something."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One contradiction. `subjects` are what contradicts: digests, UIDs; `sentence` names no patient."""

    kind: ConflictKind
    subjects: tuple[str, ...]
    sentence: str

    @property
    def id(self) -> str:
        """Identity, of the kind and its subjects alone: the same contradiction is decided once."""
        return sha256("\n".join((self.kind, *sorted(self.subjects))).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided, for good."""

    conflict_id: str
    ruling: Ruling
    about: str  # which of the subjects: the identity, key or object that is split off, dropped or accepted
    by: str
    at: datetime
