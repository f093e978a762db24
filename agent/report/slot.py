"""The objects that a result becomes: the place of each among them, and what it is until it is encoded."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydicom import Dataset

from agent.core.result import Kind
from agent.report.tree import Tree

FIRST_SERIES: Final = 900
SERIES_A_VERSION: Final = 20
SERIES_AN_AXILLA: Final = 4  # of both: reports 0 and 4, summary 1, text 2, heatmaps 3 and 5
# what not every destination gets comes after: one series an axilla (by its rank), or one for both
RESERVE_SERIES: Final = 6
SEGMENTATION_SERIES: Final = 8
PRESENTATION_SERIES: Final = 10
KEY_OBJECT_SERIES: Final = 12
REJECTION_SERIES: Final = 13


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one object among the objects of a result."""

    kind: Kind
    sop_class_uid: str
    modality: str
    label: str  # in English: tells the series of a version apart, and stands in Series Description
    series: int  # offset of Series Number
    axilla: str = ""
    index: int = 1  # within kind and axilla
    instance_number: int = 1
    form: str = ""  # tells an SR in reserve from the one for which it stands

    @property
    def role(self) -> str:
        """What the object is to its result, as `ResultObject.role`."""
        if self.kind is Kind.SR:
            return f"sr:{self.axilla}:{self.form}" if self.form else f"sr:{self.axilla}"
        return str(self.kind) if self.kind is Kind.TEXT_SR else f"{self.kind}:{self.axilla}:{self.index}"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture as it was drawn, and where in it a source point lies, as `heatmap.Picture`; the summary shows none."""

    size: tuple[int, int]  # columns, rows
    pixels: bytes
    scale: float = 0.0
    left: float = 0.0
    top: float = 0.0


@dataclass(frozen=True)
class Finished:
    """One object, ready but for its encoding."""

    slot: Slot
    ds: Dataset
    needs: tuple[str, ...] = ()
    instead_of: str = ""  # as `ResultObject.instead_of`
    only_to: tuple[str, ...] = ()  # as `ResultObject.only_to`
    drawn: Drawn | None = None  # of a capture

    @cached_property
    def tree(self) -> Tree:
        """Its content tree, for the rules: nothing changes it any more."""
        return Tree.of(self.ds)
