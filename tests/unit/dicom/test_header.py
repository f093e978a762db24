import hashlib
import random
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from agent.core.errors import Rejected
from agent.core.instance import Instance, Traits
from agent.core.patient import PatientKey
from agent.core.ports import Record
from agent.dicom.attributes import attributes_sha256
from agent.dicom.header import read_header
from agent.dicom.structure import outline
from tests.fakes.instances import (
    BIG_ENDIAN,
    DEFLATED,
    IMPLICIT,
    MAMMOGRAM,
    encode,
    mammogram,
    meta_of,
    record,
    record_of,
    split_part10,
    uid,
)
from tests.peers import shared

EXPLICIT = "1.2.840.10008.1.2.1"


def _code(value: str, scheme: str = "SCT", *modifiers: str) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, "meaning"
    if modifiers:
        ds.ViewModifierCodeSequence = Sequence([_code(one) for one in modifiers])
    return ds


def _read(site_issuer: str | None = None, **attributes: object) -> Instance:
    return read_header(record(mammogram(**attributes)), site_issuer)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_reads_a_mammogram(syntax: str) -> None:
    """Everything that assembling needs is read, in every encoding; the digest is that of the bytes as received."""
    spooled = record(mammogram(), syntax)
    assert read_header(spooled, None) == Instance(
        sop_instance_uid=uid("1"),
        sop_class_uid=MAMMOGRAM,
        transfer_syntax_uid=syntax,
        study_instance_uid=uid("study"),
        series_instance_uid=uid("series"),
        patient=PatientKey("PHANTOM", "P-1"),
        modality="MG",
        laterality="L",
        view_position="CC",
        presentation_intent="FOR PRESENTATION",
        acquired_on=date(2026, 11, 1),
        rows=2,
        columns=2,
        frames=1,
        sha256=hashlib.sha256(spooled.payload).hexdigest(),
        pixels_sha256=hashlib.sha256(b"\0\1\0\2\0\3\0\4" if syntax == BIG_ENDIAN else b"\1\0\2\0\3\0\4\0").hexdigest(),
        attributes_sha256=attributes_sha256(outline(encode(mammogram()), EXPLICIT)),
        traits=Traits(sides=("L",)),
    )


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"IssuerOfPatientID": "AE:MAMMO1"}, "begins with AE: or SPLIT:"),
        ({"IssuerOfPatientID": " SPLIT:0123456789abcdef"}, "begins with AE: or SPLIT:"),
        ({"PatientID": "P-\ufffd", "SpecificCharacterSet": "ISO_IR 192"}, r"Patient ID holds U\+FFFD"),
    ],
)
def test_a_key_that_may_be_two_patients_is_refused(attributes: dict[str, object], why: str) -> None:
    """An issuer that stands for keys made here, and an identifier of which a letter was lost."""
    with pytest.raises(Rejected, match=why):
        _read(**attributes)


@pytest.mark.parametrize(
    ("issuer", "site_issuer", "key"),
    [
        ("PHANTOM", "EXAMPLE", "PHANTOM"),
        (None, "EXAMPLE", "EXAMPLE"),
        (" ", "EXAMPLE", "EXAMPLE"),
        (None, None, "AE:MAMMO1"),
    ],
)
def test_issuer_else_the_sites_else_the_senders(issuer: str | None, site_issuer: str | None, key: str) -> None:
    """Who issued the Patient ID: the object says, else the site, else the sender keeps its patients apart."""
    assert _read(site_issuer, IssuerOfPatientID=issuer).patient == PatientKey(key, "P-1")


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"PatientID": None}, "no Patient ID"),
        ({"PatientID": " "}, "no Patient ID"),
        ({"PatientID": "P\t1"}, "Patient ID holds control characters"),
        ({"StudyInstanceUID": None}, "no Study Instance UID"),
        ({"SeriesInstanceUID": ""}, "no Series Instance UID"),
        ({"PixelData": b"\1\0\2\0\3\0"}, "truncated: Pixel Data has 6 of 8 bytes"),
        ({"NumberOfFrames": 3}, "truncated: Pixel Data has 8 of 24 bytes"),
    ],
)
def test_refuses_what_cannot_be_placed(attributes: dict[str, object], reason: str) -> None:
    """An object without identity, or with fewer pixels than it claims, is rejected with the reason."""
    with pytest.raises(Rejected, match=reason):
        _read(**attributes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sop_instance_uid": "1.2.3"}, "SOP Instance UID differs from the C-STORE request's"),
        ({"sop_class_uid": "1.2.3"}, "SOP Class UID differs from the C-STORE request's"),
        ({"transfer_syntax_uid": ""}, "no transfer syntax"),
    ],
)
def test_refuses_what_contradicts_the_request(changes: dict[str, str], reason: str) -> None:
    """What was announced and what came must be the same object."""
    with pytest.raises(Rejected, match=reason):
        read_header(record(mammogram(), **changes), None)


def test_refuses_a_uid_that_is_none() -> None:
    """A UID of other characters is refused before it gets anywhere."""
    payload = encode(mammogram()).replace(uid("study").encode(), b"../" + uid("study").encode()[3:])
    with pytest.raises(Rejected, match="Study Instance UID is not a UID"):
        read_header(record_of(payload, meta_of(mammogram())), None)


@pytest.mark.parametrize(
    ("photometric", "samples", "pixels", "enough"),
    [("RGB", 3, 24, True), ("RGB", 3, 16, False), ("YBR_FULL_422", 3, 16, True), ("YBR_FULL_422", 3, 14, False)],
)
def test_measures_colour_pixels(photometric: str, samples: int, pixels: int, enough: bool) -> None:
    """Sub-sampled colour needs two samples a pixel, other colour three."""
    attributes = {"PhotometricInterpretation": photometric, "SamplesPerPixel": samples, "PixelData": bytes(pixels)}
    if enough:
        assert _read(**attributes).rows == 2
    else:
        with pytest.raises(Rejected, match="truncated"):
            _read(**attributes)


def test_one_bit_pixels_are_packed() -> None:
    """Segmentations need one bit a pixel, rounded up."""
    assert _read(BitsAllocated=1, NumberOfFrames=3, PixelData=b"\1\0").frames == 3


def test_without_dimensions_pixels_are_not_measured() -> None:
    """An object that states no size is not judged by one."""
    assert _read(Rows=None, PixelData=b"\0\0").rows == 0


def test_compressed_pixels_are_not_measured() -> None:
    """In a compressed transfer syntax the decoder judges the pixels."""
    ds = mammogram(PixelData=b"\0\0")
    spooled = record_of(encode(ds), meta_of(ds, "1.2.840.10008.1.2.4.70"))
    assert read_header(spooled, None).rows == 2


@pytest.mark.parametrize(
    ("attributes", "side"),
    [
        ({"ImageLaterality": "R", "Laterality": "L"}, "R"),
        ({"ImageLaterality": None, "Laterality": "L"}, "L"),
        ({"ImageLaterality": "X", "Laterality": "R"}, "R"),
        ({"ImageLaterality": None}, ""),
    ],
)
def test_laterality_of_the_image_then_of_the_series(attributes: dict[str, object], side: str) -> None:
    """Image Laterality counts, else Laterality, else nothing is known."""
    assert _read(**attributes).laterality == side


@pytest.mark.parametrize("groups", ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"])
def test_laterality_of_enhanced_objects(groups: str) -> None:
    """Enhanced objects say it in a functional group."""
    anatomy, frame = Dataset(), Dataset()
    anatomy.FrameLaterality = "R"
    frame.FrameAnatomySequence = Sequence([anatomy])
    assert _read(ImageLaterality=None, **{groups: Sequence([frame])}).laterality == "R"


@pytest.mark.parametrize(
    ("sequence", "view"),
    [
        ([_code("399162004")], "CC"),
        ([_code("R-10226", "SRT")], "MLO"),
        ([_code("399260004")], "ML"),
        ([_code("399162004", "SCT", "399163009", "399055006")], "MSCC"),
        ([_code("399368009", "SCT", "399209000")], "MLOID"),
        ([_code("399368009", "SCT", "442581004")], "MLO"),
        ([_code("12345")], "XX"),
        ([], "XX"),
    ],
)
def test_view_by_its_code_then_by_its_position(sequence: list[Dataset], view: str) -> None:
    """View Code Sequence counts with its modifiers, else View Position."""
    assert _read(ViewCodeSequence=Sequence(sequence), ViewPosition="XX").view_position == view


@pytest.mark.parametrize(
    ("attributes", "day"),
    [
        ({"AcquisitionDate": None, "AcquisitionDateTime": "20261103101500"}, date(2026, 11, 3)),
        ({"AcquisitionDate": "", "ContentDate": "20261104", "StudyDate": "20261105"}, date(2026, 11, 4)),
        ({"AcquisitionDate": None, "StudyDate": "20261105"}, date(2026, 11, 5)),
        ({"AcquisitionDate": None}, None),
    ],
)
def test_acquired_on(attributes: dict[str, object], day: date | None) -> None:
    """Acquisition Date, else Content Date, else Study Date."""
    assert _read(**attributes).acquired_on == day


def test_a_day_that_is_none_is_passed_over() -> None:
    """An impossible date counts as absent; the form of ACR-NEMA is one."""
    ds = mammogram(StudyDate="20261105")
    for written, day in ((b"20261341", date(2026, 11, 5)), (b"SOMETIME", date(2026, 11, 5))):
        payload = encode(ds).replace(b"20261101", written)
        assert read_header(record_of(payload, meta_of(ds)), None).acquired_on == day
    payload = encode(ds).replace(b"DA\x08\x0020261101", b"DA\x0a\x002026.11.02")
    assert read_header(record_of(payload, meta_of(ds)), None).acquired_on == date(2026, 11, 2)


def test_a_modality_that_is_none_is_empty() -> None:
    """Text that is no code string does not become a modality."""
    payload = encode(mammogram()).replace(b"CS\2\0MG", b"CS\2\0<>")
    assert read_header(record_of(payload, meta_of(mammogram())), None).modality == ""


CHARSETS = [
    ("ISO_IR 192", "Jérôme-1", "Jérôme-1".encode()),
    ("ISO_IR 100", "Jérôme-1", "Jérôme-1".encode("latin-1")),
    ("ISO_IR 144", "Люкceмбypг", "Люкceмбypг".encode("iso8859_5")),
    ("GB18030", "王-1", "王-1".encode("gb18030")),
    ("\\ISO 2022 IR 87", "山田", b"\x1b$B;3ED\x1b(B"),
    ("", "J\xe9", b"J\xe9"),
    ("ISO_IR 192", "J\xe9", b"J\xe9"),
    ("NO SUCH SET", "J\xe9", b"J\xe9"),
    ("\\ISO 2022 IR 58", "张-1", b"\x1b$)A\xd5\xc5-1"),
    ("\\ISO 2022 IR 87", "\x1b$X\xe9", None),
]


@pytest.mark.parametrize(("specific", "patient_id", "raw"), CHARSETS)
def test_identifiers_in_their_character_set(specific: str, patient_id: str, raw: bytes | None) -> None:
    """A Patient ID is the same in every character set; a broken one is still some identity, or refused."""
    value = raw if raw is not None else patient_id.encode("latin-1")
    value += b" " * (len(value) % 2)
    term = specific.encode() + b" " * (len(specific) % 2)
    first = b"\x08\x00\x05\x00CS" + len(term).to_bytes(2, "little") + term if term else b""
    payload = first + encode(mammogram(PatientID="\x7f" * len(value)))
    spooled = record_of(payload.replace(b"\x7f" * len(value), value), meta_of(mammogram()))
    if raw is None:
        with pytest.raises(Rejected, match="control characters"):
            read_header(spooled, None)
    else:
        assert read_header(spooled, None).patient.patient_id == patient_id


def test_no_reason_quotes_the_patient() -> None:
    """A rejection never repeats what the object says of its patient."""
    ds = mammogram(PatientName="CANARY^NAME", PatientID="CANARY-ID", PatientBirthDate="19700101")
    payload = encode(ds)
    reasons = [_rejection(record_of(payload[:cut], meta_of(ds))) for cut in range(0, len(payload), 3)]
    assert sum(map(bool, reasons)) > 100
    assert not any("CANARY" in reason or "1970" in reason for reason in reasons)


def _rejection(spooled: Record) -> str:
    try:
        read_header(spooled, None)
    except Rejected as exc:
        return str(exc)
    return ""


def _real_files() -> list[Path]:
    return sorted(
        p for p in shared("data", "dicom").rglob("*") if p.is_file() and p.suffix not in (".md", ".txt", ".csv")
    )


def _spooled_file(raw: bytes) -> Record:
    meta, payload = split_part10(raw)
    return record_of(payload, {"calling_ae_title": "X", "transfer_syntax_uid": EXPLICIT, **meta})


def test_real_files_are_read_or_rejected_at_once() -> None:
    """Every real file ends as a header or as a reason, in at most 100 ms of processor time."""
    read_well, reasons = [], []
    for path in _real_files():
        spooled = _spooled_file(path.read_bytes())
        started = time.process_time()
        try:
            read_well.append(read_header(spooled, "SITE"))
        except Rejected as exc:
            reasons.append(str(exc))
        assert time.process_time() - started < 0.1, path.name
    assert len(read_well) >= 35
    assert all(reasons) and any(one.modality == "MG" and one.view_position == "MLO" for one in read_well)


def test_mutated_real_files_raise_nothing_but_rejected() -> None:
    """200 mutations of real files (bytes turned, cut out, doubled, cut off): a header or Rejected, quickly."""
    dice = random.Random(7)
    files = [raw for path in _real_files() if len(raw := path.read_bytes()) < 400_000]
    rejected = 0
    for _ in range(200):
        raw = bytearray(dice.choice(files))
        start = dice.randrange(132, min(len(raw), 3000))
        mutation = dice.randrange(4)
        if mutation == 0:
            for _ in range(8):
                raw[dice.randrange(132, min(len(raw), 3000))] = dice.randrange(256)
        elif mutation == 1:
            del raw[start : start + dice.randrange(1, 9)]
        elif mutation == 2:
            raw[start:start] = raw[start : start + dice.randrange(1, 64)]
        else:
            del raw[start:]
        started = time.process_time()
        try:
            read_header(_spooled_file(bytes(raw)), "SITE")
        except Rejected:
            rejected += 1
        assert time.process_time() - started < 0.2
    assert rejected > 100


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 600), st.binary(max_size=6)), max_size=6),
    st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED]),
)
def test_any_change_of_bytes_is_read_or_rejected(changes: list[tuple[int, bytes]], syntax: str) -> None:
    """Whatever happens to a dataset's bytes, nothing but Rejected comes out."""
    ds = mammogram(
        ViewCodeSequence=Sequence([_code("399368009", "SCT", "399209000")]), SpecificCharacterSet="ISO_IR 192"
    )
    spooled = record(ds, syntax)
    raw = bytearray(spooled.payload)
    for position, content in changes:
        raw[position : position + len(content)] = content
    try:
        found = read_header(replace(spooled, payload=bytes(raw)), None)
    except Rejected:
        return
    assert found.patient.patient_id and found.study_instance_uid
