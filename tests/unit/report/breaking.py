"""What breaks one thing in a finished object, for the tests of the gate."""

import pickle
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

from highdicom.sr import CodedConcept, TextContentItem
from pydicom import Dataset

from agent.dicom import codes
from agent.report import tree
from agent.report.slot import Finished


def broken_copy(one: Finished, break_it: Callable[[Dataset], object]) -> Finished:
    """Return a copy of an object with something broken; pickle copies it in half of deepcopy's time."""
    ds: Dataset = pickle.loads(pickle.dumps(one.ds))  # noqa: S301 - our own bytes
    break_it(ds)
    return replace(one, ds=ds)


def number(ds: Dataset, n: int = 0) -> Dataset:
    """Return the n-th NUM of the group."""
    return tree.children(group(ds), "NUM")[n]


def group(ds: Dataset) -> Dataset:
    """Return the measurement group."""
    return tree.named(ds, codes.MEASUREMENT_GROUP)[0]


def first(ds: Dataset, value_type: str) -> Dataset:
    """Return the first item of a value type."""
    return next(i for i in tree.items(ds) if i.ValueType == value_type)


def drop(ds: Dataset, concept: object) -> None:
    """Remove every item with a concept name, wherever it is."""
    for parent in [ds, *tree.items(ds)]:
        kept = [i for i in parent.get("ContentSequence", ()) if not tree.is_named(i, concept)]  # type: ignore[arg-type]
        if len(kept) != len(parent.get("ContentSequence", ())):
            parent.ContentSequence = kept


def double(ds: Dataset, concept: object) -> None:
    """Repeat the first item with a concept name."""
    for parent in [ds, *tree.items(ds)]:
        found = [i for i in parent.get("ContentSequence", ()) if tree.is_named(i, concept)]  # type: ignore[arg-type]
        if found:
            parent.ContentSequence = [*parent.ContentSequence, deepcopy(found[0])]
            return


def rename(item: Dataset, meaning: str) -> None:
    """Change the code meaning of an item's name."""
    item.ConceptNameCodeSequence[0].CodeMeaning = meaning


def say(ds: Dataset, text: str) -> None:
    """Change the first sentence that is an answer."""
    tree.children(tree.named(ds, codes.FINDINGS)[0], "TEXT")[0].TextValue = text


def forget(ds: Dataset, start: str) -> None:
    """Blank every sentence that starts so."""
    for item in tree.items(ds):
        if item.ValueType == "TEXT" and item.TextValue.startswith(start):
            item.TextValue = "-"


def renumber(ds: Dataset, concept: CodedConcept, number: float) -> None:
    """Change the first number with a concept name."""
    found = next(i for i in tree.named(ds, concept) if i.ValueType == "NUM")
    found.MeasuredValueSequence[0].NumericValue = number


def recode(ds: Dataset, concept: CodedConcept, code: str) -> None:
    """Change the first code with a concept name; items share their codes with the module of codes."""
    found = next(i for i in tree.named(ds, concept) if i.ValueType == "CODE")
    found.ConceptCodeSequence = [deepcopy(found.ConceptCodeSequence[0])]
    found.ConceptCodeSequence[0].CodeValue = code


def relabel(ds: Dataset, concept: CodedConcept, code: str) -> None:
    """Put another label before the first sentence with this one."""
    found = next(i for i in tree.named(ds, concept) if i.ValueType == "TEXT")
    found.ConceptNameCodeSequence = [deepcopy(found.ConceptNameCodeSequence[0])]
    found.ConceptNameCodeSequence[0].CodeValue = code


def drop_coded(ds: Dataset, concept: CodedConcept) -> None:
    """Remove the codes with a concept name, and leave the sentences."""
    for parent in [ds, *tree.items(ds)]:
        kept = [i for i in parent.get("ContentSequence", ()) if i.ValueType != "CODE" or not tree.is_named(i, concept)]
        if len(kept) != len(parent.get("ContentSequence", ())):
            parent.ContentSequence = kept


def drop_container(ds: Dataset, concept: CodedConcept) -> None:
    """Remove the first container with a concept name, and leave the sentences."""
    for parent in [ds, *tree.items(ds)]:
        found = [i for i in tree.children(parent, "CONTAINER") if tree.is_named(i, concept)]
        if found:
            parent.ContentSequence = [i for i in parent.ContentSequence if i is not found[0]]
            return


def container(ds: Dataset, concept: CodedConcept) -> Dataset:
    """Return the first container with a concept name."""
    return next(i for i in tree.named(ds, concept) if i.ValueType == "CONTAINER")


def point(ds: Dataset) -> Dataset:
    """Return the first operating point."""
    return container(ds, codes.OPERATING_POINT)


def blank(ds: Dataset, head: CodedConcept) -> None:
    """Blank the first sentence below a heading."""
    tree.children(container(ds, head), "TEXT")[0].TextValue = "-"


def finding(text: str) -> TextContentItem:
    """Return a sentence that is called a finding."""
    return TextContentItem(codes.FINDING, text, "CONTAINS")


def move(ds: Dataset, dx: float) -> None:
    """Shift every region to the right."""
    for item in tree.items(ds):
        if item.ValueType == "SCOORD":
            item.GraphicData = [v + dx * (n % 2 == 0) for n, v in enumerate(item.GraphicData)]


def value(ds: Dataset, n: int, to: float) -> None:
    """Change the n-th number."""
    number(ds, n).MeasuredValueSequence[0].NumericValue = to


def swap_bounds(ds: Dataset) -> None:
    """Exchange the names of the interval's bounds."""
    low, high = number(ds, 1), number(ds, 2)
    low.ConceptNameCodeSequence, high.ConceptNameCodeSequence = (
        high.ConceptNameCodeSequence,
        low.ConceptNameCodeSequence,
    )


def paint(ds: Dataset, at: int) -> None:
    """Blacken a run of pixel bytes."""
    data = bytearray(ds.PixelData)
    data[at : at + 3000 if at >= 0 else None] = bytes(3000)
    ds.PixelData = bytes(data)


def erase_end(ds: Dataset) -> None:
    """Blacken the last rows."""
    ds.PixelData = ds.PixelData[:-3000] + bytes(3000)


def name_another(ds: Dataset, sop_instance_uid: str) -> None:
    """Name one more object as evidence: one that nobody looked at."""
    instances = ds.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    another = deepcopy(instances[0])
    another.ReferencedSOPInstanceUID = sop_instance_uid
    instances.append(another)
