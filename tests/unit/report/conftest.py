"""What the report tests share: a composer, and objects read back."""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from agent.core.prediction import Answer
from agent.core.result import LeftOut, Result, ResultObject, SourceImage
from agent.dicom.codes import ENGLISH, GERMAN
from agent.dicom.uids import device_uid
from agent.report import tree
from agent.report.compose import Composer, DeviceIdentity
from tests import builders
from tests.unit.report.remembering import Remembering

DEVICE = DeviceIdentity(device_uid(builders.INSTALLATION), "SENTINODE", "Sentinode", "Sentinode", "0001", "0.1.0")

CODED = ("ConceptNameCodeSequence", "ConceptCodeSequence")


@pytest.fixture
def device() -> DeviceIdentity:
    """The device that makes the objects."""
    return DEVICE


@pytest.fixture
def composer(device: DeviceIdentity) -> Composer:
    """The room's entry, which makes what several tests look at once."""
    return Remembering(device)


@pytest.fixture(scope="session")
def views() -> Sequence[SourceImage]:
    """Four views of one study: L CC, L MLO, R CC, R MLO."""
    return tuple(builders.source_image(builders.mammogram(s, v)) for s in "LR" for v in ("CC", "MLO"))


@pytest.fixture(scope="session")
def mlo(views: Sequence[SourceImage]) -> SourceImage:
    """A left MLO, 250 rows by 200 columns, with a node at column 28, row 42."""
    return views[1]


class Read:
    """Objects of one result, read back by role: its own, which a test may change."""

    def __init__(self, objects: Sequence[ResultObject]) -> None:
        self.objects = objects
        self.by_role: dict[str, Dataset] = {o.role: dcmread(BytesIO(o.encoded)) for o in objects}

    def __getitem__(self, role: str) -> Dataset:
        return self.by_role[role]

    @property
    def roles(self) -> list[str]:
        """Roles in sending order, but for what is in reserve."""
        return [o.role for o in self.objects if not o.instead_of]


@pytest.fixture
def bilateral(composer: Composer, views: Sequence[SourceImage]) -> Read:
    """Both axillae, the right one at the higher risk."""
    answers: list[Answer] = [builders.estimate("L", 0.042), builders.estimate("R", 0.7312)]
    return Read(composer(builders.result(answers, views), views))


@pytest.fixture
def left(mlo: SourceImage) -> Result:
    """One axilla with one image."""
    return builders.result(None, [mlo])


@pytest.fixture
def objects(composer: Composer, left: Result, mlo: SourceImage) -> Read:
    """The objects of one axilla with one image."""
    return Read(composer(left, [mlo]))


def colourfulness(pixels_hwc: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how far each pixel is from grey."""
    return np.ptp(pixels_hwc.astype(np.int64), axis=2)


@pytest.fixture
def page_meanings(composer: Composer, objects: Read, left: Result, mlo: SourceImage) -> set[str]:
    """Return the meaning of every code of a page that says all that there is, and of its language in German."""
    result = replace(
        left,
        version=2,
        predecessors={o.role: o.reference for o in objects.objects},
        site_prevalence=0.25,
        modalities_missing=("US", "MR", "SM", "XA"),
        left_out=(LeftOut("grade", "a value that the model does not know"),),
    )
    page = Read(composer(result, [mlo]))["text_sr"]
    names = [item.get(keyword, ()) for item in (page, *tree.items(page)) for keyword in CODED]
    return {str(code.CodeMeaning) for found in names for code in found} - {ENGLISH.meaning} | {GERMAN.meaning}
