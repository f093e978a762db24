"""A corpus of names in every character set, rightly and wrongly declared: cases know nothing of them."""

import pytest

from agent.core.case import CaseState
from agent.core.instance import End
from agent.core.patient import PatientKey
from agent.core.ports import RecordKind
from tests.character_sets import CORPUS, ONE_NAME, Writing, header
from tests.fakes.instances import encode, mammogram, meta_of, uid
from tests.indexing import House


def _send(house: House, writing: Writing, name: str, **attributes: object) -> str:
    ds, payload = header(writing, name, StudyInstanceUID=uid(f"study of {name}"), **attributes)
    house.spool.add(RecordKind.INSTANCE, meta_of(ds), payload)
    return str(ds.SOPInstanceUID)


def _keys(house: House) -> dict[PatientKey, list[str]]:
    return {case.patient: house.uids(case) for case in house.cases()}


def test_every_file_is_collected(house: House) -> None:
    """One patient a file: none is refused, lost or put with another one, though many have one name."""
    sent = {
        PatientKey("PHANTOM", f"P-{n}"): [_send(house, writing, str(n), PatientID=f"P-{n}")]
        for n, writing in enumerate(CORPUS)
    }
    house.indexer.tick()
    assert house.ends() == [End.COLLECTED] * len(CORPUS)
    assert _keys(house) == sent


def test_one_patient_in_many_character_sets(house: House) -> None:
    """Images of one Patient ID are one case that goes on, whichever way their one name is written."""
    uids = [_send(house, writing, str(n)) for n, writing in enumerate(ONE_NAME)]
    house.indexer.tick()
    assert {key: set(held) for key, held in _keys(house).items()} == {PatientKey("PHANTOM", "P-1"): set(uids)}
    assert [case.state for case in house.cases()] == [CaseState.COLLECTING]


@pytest.mark.parametrize(
    ("declared", "codec"),
    [("ISO_IR 100", "latin_1"), ("ISO_IR 192", "utf_8"), ("GB18030", "gb18030"), (None, "latin_1")],
)
def test_an_identifier_that_is_no_ascii(house: House, declared: str | None, codec: str) -> None:
    """One Patient ID is one patient in whichever set it is written, beside the same ID in UTF-8."""
    for name, term, encoding in (("1", "ISO_IR 192", "utf_8"), ("2", declared, codec)):
        place = "X" * len("Pé-1".encode(encoding))
        ds = mammogram(name, PatientID=place, SpecificCharacterSet=term)
        payload = encode(ds).replace(place.encode(), "Pé-1".encode(encoding))
        house.spool.add(RecordKind.INSTANCE, meta_of(ds), payload)
    house.indexer.tick()
    assert list(_keys(house)) == [PatientKey("PHANTOM", "Pé-1")]
    assert house.ends() == [End.COLLECTED] * 2


def test_one_name_never_joins(house: House) -> None:
    """The same name under two identifiers, and under one of two issuers, is three patients."""
    for n, (patient_id, issuer) in enumerate([("P-1", "A"), ("P-2", "A"), ("P-1", "B")]):
        _send(house, CORPUS[0], str(n), PatientID=patient_id, IssuerOfPatientID=issuer)
    house.indexer.tick()
    assert set(_keys(house)) == {PatientKey("A", "P-1"), PatientKey("A", "P-2"), PatientKey("B", "P-1")}
