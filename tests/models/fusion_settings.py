"""A fusion run small enough for a test."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from models.fusion.settings import MAMMOGRAM, MRI, ULTRASOUND, Settings, Sizes

SMALL = {"stem": 8, "features": 8, "dilations": (1,), "epochs": 2, "batch": 16}
IMAGING = (
    replace(MAMMOGRAM, shape=(1, 64, 56), render=(160, 128), **SMALL),
    replace(ULTRASOUND, shape=(1, 64, 64), render=(64, 64), preprocessing={"tensor_pixel_mm": 0.8}, **SMALL),
    replace(MRI, shape=(4, 40, 48), render=(64, 102), preprocessing={"tensor_pixel_mm": 3.2, "phases": 4}, **SMALL),
)
SIZES = Sizes(concept_hidden=8, clinical_hidden=8, finding_hidden=8, evidence=4)


def small(work: Path, **changes: Any) -> Settings:
    """Settings of a small run that keeps its files in `work`."""
    given: dict[str, Any] = {"sizes": SIZES, "imaging": IMAGING, "heads_epochs": 3, "processes": 1, "work": work}
    return Settings(**given | changes)
