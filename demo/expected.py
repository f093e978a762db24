"""What must come of one synthetic patient, whatever the model's number is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

PICTURES: Final = {"MG": 2, "US": 2, "MR": 1}  # of one axilla that come back, by modality


@dataclass(frozen=True)
class Expected:
    """What the demo checks. A version is named by what its estimates rest on, as in "clinical MG US"."""

    state: str = "done"  # in which every version ends; empty: no case is opened
    versions: Sequence[str] = ("",)  # an empty one has no estimate
    sides: Sequence[str] = ()  # axillae with a number
    reason: str = ""  # words that must be said where there is none
    answered: bool = True  # whether objects are sent at all
    pictures: int | None = None  # where it is not that of PICTURES
    not_relevant: int = 0
    quarantined: int = 0
    corrections: int = 0
    held: str = ""  # words of the reason for which it is held until somebody decides; empty: it is not
    cases_apart: int = 0  # of whom the decision tells apart from her

    def objects(self, version: int) -> dict[str, int]:
        """How many objects of each kind a version (1, 2, ...) leads to in the PACS."""
        if not self.answered:
            return {}
        studies = self._studies(version)
        pictures = self.pictures or sum(PICTURES[modality] for modality in studies) * len(self.sides)
        objects = {
            "sr": len(self.sides) if pictures else 0,
            "text_sr": 1,
            "secondary_capture": pictures + 1,  # the summary
            "segmentation": PICTURES["MR"] * len(self.sides) if "MR" in studies else 0,
            "presentation_state": pictures,
            "key_object": len(studies),
            "rejection": len(self._studies(version - 1)) if version > 1 else 0,
        }
        return {kind: count for kind, count in objects.items() if count}

    def _studies(self, version: int) -> list[str]:
        """The modalities of the studies that an answer rests on."""
        return [modality for modality in self.versions[version - 1].split() if modality in PICTURES]

    @property
    def total(self) -> int:
        """All objects of all versions."""
        return sum(sum(self.objects(n + 1).values()) for n in range(len(self.versions)))


def estimate(
    *versions: str, sides: Sequence[str] = ("L",), quarantined: int = 0, pictures: int | None = None
) -> Expected:
    """Expect a number for each side."""
    return Expected(versions=versions, sides=sides, quarantined=quarantined, pictures=pictures)


def decided(expected: Expected, held: str, *, corrections: int = 0, cases_apart: int = 0) -> Expected:
    """Expect the same, but only when a person has decided what the case was held for."""
    return replace(expected, held=held, corrections=corrections, cases_apart=cases_apart)


def no_estimate(reason: str) -> Expected:
    """Expect a report that says why there is no number."""
    return Expected(reason=reason)


def dormant(reason: str) -> Expected:
    """Expect a case that sleeps, and nothing sent."""
    return Expected("dormant", reason=reason, answered=False)


def no_case(not_relevant: int) -> Expected:
    """Expect no case at all."""
    return Expected("", versions=(), answered=False, not_relevant=not_relevant)
