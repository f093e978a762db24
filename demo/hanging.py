"""How the images of a study hang: in which order, and what stands below each."""

import re
from collections.abc import Sequence
from typing import Final

from pydicom.dataset import Dataset

_SIDES: Final = {"R": "right", "L": "left"}
_VIEWS: Final = ("CC", "MLO")
_PHASE: Final = re.compile(r"(pre|post \d+)$")  # of a dynamic series, at the end of its description


def hung(images: Sequence[Dataset]) -> list[Dataset]:
    """Order images as a radiologist hangs them.

    Mammograms view by view, the right breast first: its chest wall is at the right edge of the image, that of the left
    breast at the left edge, so both lie back to back. Ultrasound side by side, the breast before the axilla; MRI and
    CT in the order of their acquisition.
    """
    return sorted(images, key=_place)


def caption(ds: Dataset) -> str:
    """Return what stands below an image: "R CC", "left axilla", "post 1", "slice 3"; read from its header."""
    side, modality = str(ds.get("ImageLaterality", "")), str(ds.Modality)
    if modality == "MG":
        return f"{side} {ds.get('ViewPosition', '')}".strip()
    if modality == "US":
        return f"{_SIDES.get(side, '')} {str(ds.get('BodyPartExamined', '')).lower()}".strip()
    phase = _PHASE.search(str(ds.get("SeriesDescription", "")))
    return phase[1] if phase else f"slice {ds.InstanceNumber}"


def _place(ds: Dataset) -> tuple[int, int, int]:
    side = 0 if ds.get("ImageLaterality") == "R" else 1
    if ds.Modality == "MG":
        view = str(ds.get("ViewPosition", ""))
        return _VIEWS.index(view) if view in _VIEWS else len(_VIEWS), side, 0
    if ds.Modality == "US":
        return side, int(ds.get("BodyPartExamined") != "BREAST"), 0
    return int(ds.get("AcquisitionNumber") or 0), int(ds.SeriesNumber or 0), int(ds.InstanceNumber or 0)
