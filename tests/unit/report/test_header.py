"""What our objects take over from their source: equal, whatever its script, and never a reason to stop."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import DataElement, Dataset, config

from agent.core.errors import Permanent
from agent.core.patient import PatientKey
from agent.core.result import SourceImage
from agent.dicom.text import decode_identifier
from agent.report.compose import Composer
from agent.report.header import REQUIRED, read_source
from tests import builders, peers
from tests.unit.report.conftest import Read

NAMES = {
    "greek": ("ISO_IR 192", "ΔΟΚΙΜΗ^ΣΥΝΘΕΤΙΚΗ"),
    "greek_8859": ("ISO_IR 126", "Διονυσιος"),
    "japanese": ("ISO_IR 192", "Yamada^Hanako=山田^花子=やまだ^はなこ"),
    "japanese_2022": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "latin": ("ISO_IR 100", "Buc^Jérôme"),
    "russian": ("ISO_IR 144", "Люкceмбypг"),
    "none": ("", "DOE^JANE"),
}


def with_raw(image: SourceImage, name: bytes, character_set: bytes | None) -> SourceImage:
    """Replace the name and the character set of a header, byte by byte."""
    old = b"PN" + len("DEMO^SYNTHETIC").to_bytes(2, "little") + b"DEMO^SYNTHETIC"
    name += b" " * (len(name) % 2)
    header = image.header.replace(old, b"PN" + len(name).to_bytes(2, "little") + name)
    declared = b"\x08\0\x05\0CS" + len("ISO_IR 192").to_bytes(2, "little") + b"ISO_IR 192"
    new = b""
    if character_set is not None:
        padded = character_set + b" " * (len(character_set) % 2)
        new = b"\x08\0\x05\0CS" + len(padded).to_bytes(2, "little") + padded
    assert header.count(declared) == 1 and header != image.header
    return replace(image, header=header.replace(declared, new))


@pytest.mark.parametrize("script", NAMES)
def test_name_of_any_script_equals_the_source(composer: Composer, script: str) -> None:
    """Every object has the source's name, encoded as UTF-8."""
    character_set, name = NAMES[script]
    ds = builders.mammogram(SpecificCharacterSet=character_set, PatientName=name)
    image = builders.source_image(ds)
    objects = Read(composer(builders.result(None, [image]), [image]))
    for role in objects.roles:
        assert objects[role].PatientName == name
        assert objects[role].SpecificCharacterSet == "ISO_IR 192"


def test_chinese_code_extension_is_read(mlo: SourceImage) -> None:
    """ISO 2022 IR 58 (PS3.5 K.2)."""
    raw = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab="
    source = read_source(with_raw(mlo, raw, b"\\ISO 2022 IR 58"))
    assert str(source.subject.PatientName) == "Zhang^XiaoDong=张^小东"


def test_latin_9_is_read(mlo: SourceImage) -> None:
    """ISO_IR 203, which pydicom does not know, has letters where Latin-1 has fractions."""
    source = read_source(with_raw(mlo, b"C\xbdur^Z", b"ISO_IR 203"))
    assert source.subject.PatientName == "Cœur^Z"


@settings(max_examples=60, deadline=None)
@given(
    st.binary(min_size=8, max_size=8) | st.just("张三".encode("gb2312") + b"\x1b(B "),
    st.sampled_from([b"", b"ISO_IR 100", b"ISO_IR 192", b"ISO_IR 203", b"\\ISO 2022 IR 58", b"\\ISO 2022 IR 87"]),
)
def test_the_patient_is_the_one_of_the_case(patient_id: bytes, character_set: bytes) -> None:
    """Patient ID is read by the rule by which the case was opened, whatever its bytes."""
    image = with_raw(
        builders.source_image(builders.mammogram(rows=8, columns=8, PatientID="X" * 8)), b"A^B", character_set
    )
    assert image.header.count(b"X" * 8) == 1
    source = read_source(replace(image, header=image.header.replace(b"X" * 8, patient_id)))
    expected = decode_identifier(patient_id, character_set.decode())
    if expected.isprintable():
        value = source.subject["PatientID"].value  # pydicom takes a backslash for several values, written as one again
        assert (value if isinstance(value, str) else "\\".join(value)) == expected


@pytest.mark.parametrize(
    ("name", "character_set"),
    [
        (b"\xff\xfe\xe9^X", b"ISO_IR 192"),  # not UTF-8
        (b"M\xfcller^X", None),  # no set declared
        (b"M\xfcller^X", b"ISO_IR 999"),  # no such set
        (b"\x1b$B;3ED^X", b""),  # an escape that was never announced
        (b"\x1b$B\xff\xff^X", b"\\ISO 2022 IR 87"),
        (b"A^B", b"\\ISO_IR 192\\nonsense"),
        (b"SINGLE", b"ISO_IR 100"),
    ],
)
def test_broken_character_set_costs_letters_only(
    composer: Composer, mlo: SourceImage, name: bytes, character_set: bytes | None
) -> None:
    """The report is made, its objects agree with each other, and no warning escapes."""
    image = with_raw(mlo, name, character_set)
    objects = Read(composer(builders.result(None, [image]), [image]))
    assert len({str(objects[role].PatientName) for role in objects.roles}) == 1
    assert str(objects["sr:L"].PatientName)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(min_size=1, max_size=24).filter(lambda b: b != b"DEMO^SYNTHETIC"),
    st.sampled_from(
        [
            None,
            b"",
            b"ISO_IR 100",
            b"ISO_IR 192",
            b"ISO_IR 203",
            b"\\ISO 2022 IR 58",
            b"\\ISO 2022 IR 87",
            b"ISO 2022 IR 13\\ISO 2022 IR 87",
            b"GB18030",
            b"\xff\xfe",
        ]
    ),
)
def test_any_bytes_for_a_name_are_survived(name: bytes, character_set: bytes | None) -> None:
    """Whatever stands there is decoded to some text that can be written again."""
    image = with_raw(builders.source_image(builders.mammogram(rows=8, columns=8)), name, character_set)
    text = str(read_source(image).subject.PatientName)
    assert text.encode("utf-8").decode("utf-8") == text


def test_missing_type_2_attributes_are_empty(composer: Composer) -> None:
    """What the source lacks is there and empty; what is optional stays away."""
    lacking = dict.fromkeys((*REQUIRED, "IssuerOfPatientID", "PatientAge", "StudyDescription"))
    del lacking["PatientID"]
    ds = builders.mammogram(**lacking)
    image = builders.source_image(ds)
    objects = Read(composer(builders.result(None, [image]), [image]))
    for role in objects.roles:
        for keyword in lacking:
            assert not objects[role].get(keyword)
            assert (keyword in objects[role]) == (keyword in REQUIRED)
        assert objects[role].PatientID == "P-0001"


def test_values_that_break_their_rules_stay_as_they_are(composer: Composer) -> None:
    """A date, a sex and an ID that no validator would accept equal the source's: identity is not ours to correct."""
    odd = Dataset()
    odd.update(builders.mammogram())
    for keyword, value in (("PatientBirthDate", "1970.01.01"), ("PatientSex", "female"), ("PatientID", "X" * 70)):
        odd.add(DataElement(keyword, "LO", value, validation_mode=config.IGNORE))
    raw = (
        builders.part10(odd).replace(b"\x10\0\x30\0LO", b"\x10\0\x30\0DA").replace(b"\x10\0\x40\0LO", b"\x10\0\x40\0CS")
    )
    image = replace(builders.source_image(), header=raw)
    objects = Read(composer(builders.result(None, [image]), [image]))
    for o in objects.objects:
        assert b"1970.01.01" in o.encoded and b"female" in o.encoded and b"X" * 70 in o.encoded


def test_attributes_of_the_study_are_copied(objects: Read) -> None:
    """Accession number, issuer, age, description and referrer are the source's."""
    for role in objects.roles:
        ds = objects[role]
        assert (ds.AccessionNumber, ds.IssuerOfPatientID, ds.PatientAge) == ("ACCs1", "PHANTOM", "056Y")
        assert (ds.StudyDescription, ds.ReferringPhysicianName) == ("Mammography", "REFERRER^SYNTHETIC")
        assert (ds.StudyDate, ds.StudyTime) == ("20260105", "103000")


def test_headers_of_real_files_are_read() -> None:
    """Headers of real files of many character sets, makers and encodings give a subject, and no warning."""
    read = 0
    for path in sorted(peers.shared("data", "dicom").rglob("*.dcm")):
        image = replace(builders.source_image(builders.mammogram(rows=8, columns=8)), header=path.read_bytes())
        try:
            source = read_source(image)
        except Permanent:  # some are no Part 10 files
            continue
        str(source.subject.PatientName).encode("utf-8")
        read += 1
    assert read > 20


@pytest.mark.parametrize("issuer", ["HOSPITAL", "AE:MAMMO1"])
def test_a_merged_patient_is_named_by_the_surviving_key(composer: Composer, issuer: str) -> None:
    """The image still says the retired ID; no object of ours does. A sender's namespace is never written."""
    image = builders.source_image()
    result = replace(builders.result(None, [image]), patient=PatientKey(issuer, "P-0002"))
    objects = Read(composer(result, [image]))
    for role in objects.roles:
        assert objects[role].PatientID == "P-0002"
        assert objects[role].get("IssuerOfPatientID") == ("HOSPITAL" if issuer == "HOSPITAL" else None)
        assert objects[role].PatientName == builders.NAME
