"""Names of every character set in our objects: UTF-8, equal to the source's where that can be read."""

from dataclasses import replace

import pytest

from agent.core.result import SourceImage
from agent.dicom.text import decode_person_name
from agent.report.compose import Composer
from agent.report.header import read_source
from tests import builders
from tests.character_sets import PLACE, RIGHT, WRONG, Writing, written
from tests.unit.report.conftest import Read

IN_FULL = ("JIS X 0208 (H.3.1)", "JIS X 0201 and 0208 (H.3.2)", "KS X 1001 (I.2)", "GB18030 (J.3)", "GB 2312 (K.2)")


def _image(writing: Writing, *, rows: int = 8, columns: int = 8) -> SourceImage:
    image = builders.source_image(builders.mammogram(rows=rows, columns=columns, PatientName=PLACE))
    return replace(image, header=written(image.header, writing))


@pytest.mark.parametrize("writing", RIGHT, ids=lambda writing: writing.title)
def test_what_is_declared_rightly_equals_the_source(writing: Writing) -> None:
    """Each group of the name is the source's; empty groups at the end are no part of it."""
    name = str(read_source(_image(writing)).subject.PatientName)
    assert name == writing.name.rstrip("=")


@pytest.mark.parametrize("writing", WRONG, ids=lambda writing: writing.title)
def test_what_is_declared_wrongly_costs_letters_at_most(writing: Writing) -> None:
    """A letter that cannot be read is shown as such, the others stay, and the text can be written."""
    name = str(read_source(_image(writing)).subject.PatientName)
    replaced = decode_person_name(writing.raw, writing.specific_character_set, "replace").rstrip(" \0")
    assert name == replaced.replace("\x1b", "\ufffd")
    assert name and name.encode("utf-8").decode("utf-8") == name


@pytest.mark.parametrize("title", IN_FULL)
def test_groups_in_every_object(composer: Composer, title: str) -> None:
    """Alphabetic, ideographic and phonetic groups arrive in each object, declared as UTF-8."""
    writing = next(w for w in RIGHT if w.title == title)
    image = _image(writing, rows=250, columns=200)
    objects = Read(composer(builders.result(None, [image]), [image]))
    for role in objects.roles:
        ours = objects[role]
        assert ours.SpecificCharacterSet == "ISO_IR 192"
        assert str(ours.PatientName).rstrip("=") == writing.name.rstrip("=")
        groups = [*writing.name.split("="), "", ""]
        assert [ours.PatientName.ideographic, ours.PatientName.phonetic] == groups[1:3]
