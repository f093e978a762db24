"""One received object's header: what assembling needs to know of it, read once."""

import hashlib
import re
from datetime import date
from typing import Final

from agent.core.demographics import Demographics
from agent.core.errors import Rejected
from agent.core.instance import Damaged, Instance
from agent.core.patient import OF_SENDER, SPLIT, PatientKey, patient_key
from agent.core.ports import Record
from agent.dicom.attributes import attributes_sha256
from agent.dicom.structure import NATIVE, PIXEL_DATA, Broken, Structure, outline
from agent.dicom.text import decode_identifier, decode_patient_name, printable
from agent.dicom.traits import read_traits

_SPECIFIC_CHARACTER_SET = 0x00080005
_SOP_CLASS_UID, _SOP_INSTANCE_UID = 0x00080016, 0x00080018
_STUDY_INSTANCE_UID, _SERIES_INSTANCE_UID = 0x0020000D, 0x0020000E
_DATES: Final = (0x00080022, 0x0008002A, 0x00080023, 0x00080020)  # Acquisition, as date and time, Content, Study
_MODALITY, _PRESENTATION_INTENT_TYPE = 0x00080060, 0x00080068
_PATIENT_ID, _ISSUER_OF_PATIENT_ID = 0x00100020, 0x00100021
_PATIENT_NAME, _PATIENT_BIRTH_DATE, _PATIENT_SEX, _ACCESSION_NUMBER = 0x00100010, 0x00100030, 0x00100040, 0x00080050
_VIEW_POSITION, _VIEW_CODE_SEQUENCE, _VIEW_MODIFIER_CODE_SEQUENCE = 0x00185101, 0x00540220, 0x00540222
_CODE_VALUE = 0x00080100
_SAMPLES_PER_PIXEL, _PHOTOMETRIC_INTERPRETATION, _NUMBER_OF_FRAMES = 0x00280002, 0x00280004, 0x00280008
_ROWS, _COLUMNS, _BITS_ALLOCATED = 0x00280010, 0x00280011, 0x00280100

_VIEWS: Final = {  # PS3.16 CID 4014, SNOMED CT and its older SNOMED-RT form
    **dict.fromkeys(("399162004", "R-10242"), "CC"),
    **dict.fromkeys(("399368009", "R-10226"), "MLO"),
    **dict.fromkeys(("399260004", "R-10224"), "ML"),
    **dict.fromkeys(("399352003", "R-10228"), "LM"),
    **dict.fromkeys(("399099002", "R-10230"), "LMO"),
    **dict.fromkeys(("399196006", "R-10244"), "FB"),
    **dict.fromkeys(("399188001", "R-102D0"), "SIO"),
    **dict.fromkeys(("441555000", "R-40AAA"), "ISO"),
    **dict.fromkeys(("399192008", "R-1024A"), "XCCL"),
    **dict.fromkeys(("399101009", "R-1024B"), "XCCM"),
}
_MODIFIERS: Final = {  # PS3.16 CID 4015, written as on a film: M and S before the view, the others behind it
    **dict.fromkeys(("399163009", "R-102D6"), "M"),
    **dict.fromkeys(("399055006", "R-102D7"), "S"),
    **dict.fromkeys(("399209000", "R-102D5"), "ID"),
    **dict.fromkeys(("399161006", "R-102D2"), "CV"),
    **dict.fromkeys(("399110001", "R-102C2"), "TAN"),
    **dict.fromkeys(("399011000", "R-102D1"), "AT"),
    **dict.fromkeys(("441752004",), "AC"),
    **dict.fromkeys(("399226006", "R-102CB"), "RM"),
    **dict.fromkeys(("399197002", "R-102CA"), "RL"),
    **dict.fromkeys(("415670009", "R-102C9"), "RS"),
    **dict.fromkeys(("414493004", "R-102C8"), "RI"),
}
_WORDS_AT_ONCE: Final = 1 << 20
_SAMPLES_OF: Final = {"YBR_FULL_422": 2.0, "YBR_PARTIAL_422": 2.0, "YBR_PARTIAL_420": 1.5}


def read_header(record: Record, site_issuer: str | None) -> Instance:
    """Read the header of a received instance from its bytes as they came; pixels are measured, never touched.

    A view is written as on a film: "CC", "MLO", with M (magnification) and S (spot compression) before it.

    Raises
    ------
    Rejected
        If the bytes are no dataset in the negotiated transfer syntax, are shorter than they claim, nest too
        deeply, contradict the C-STORE request, or lack a UID or Patient ID. Nothing else, whatever the bytes.
        Damaged where Patient ID and Study Instance UID can be read all the same.
    """
    try:
        ds = outline(record.payload, record.meta.get("transfer_syntax_uid", ""))
    except Broken as exc:
        raise _damaged(exc.partial, record, site_issuer, exc) from None
    try:
        return _instance(ds, record, site_issuer)
    except Rejected as exc:
        raise _damaged(ds, record, site_issuer, exc) from None


def _damaged(ds: Structure, record: Record, site_issuer: str | None, why: Rejected) -> Rejected:
    """Return why an object is rejected, with whose it is where that can be read."""
    try:
        patient, study_instance_uid = _patient(ds, record, site_issuer), _uid(ds, _STUDY_INSTANCE_UID, "")
    except Rejected:
        return Rejected(str(why))
    modality = _code_string(ds, _MODALITY)
    return Damaged(str(why), patient=patient, study_instance_uid=study_instance_uid, modality=modality)


def _instance(ds: Structure, record: Record, site_issuer: str | None) -> Instance:
    transfer_syntax_uid = record.meta.get("transfer_syntax_uid", "")
    needed = _check_pixels(ds, transfer_syntax_uid)
    traits = read_traits(ds)
    return Instance(
        sop_instance_uid=_same(ds, _SOP_INSTANCE_UID, "SOP Instance UID", record.meta.get("sop_instance_uid", "")),
        sop_class_uid=_same(ds, _SOP_CLASS_UID, "SOP Class UID", record.meta.get("sop_class_uid", "")),
        transfer_syntax_uid=transfer_syntax_uid,
        study_instance_uid=_uid(ds, _STUDY_INSTANCE_UID, "Study Instance UID"),
        series_instance_uid=_uid(ds, _SERIES_INSTANCE_UID, "Series Instance UID"),
        patient=_patient(ds, record, site_issuer),
        modality=_code_string(ds, _MODALITY),
        laterality=next(iter(traits.sides), ""),
        view_position=_view(ds),
        presentation_intent=_code_string(ds, _PRESENTATION_INTENT_TYPE),
        acquired_on=next((day for tag in _DATES if (day := _day(ds.ascii(tag)))), None),
        rows=ds.number(_ROWS) or 0,
        columns=ds.number(_COLUMNS) or 0,
        frames=_frames(ds),
        sha256=hashlib.sha256(record.payload).hexdigest(),
        pixels_sha256=_pixels_sha256(ds, needed),
        attributes_sha256=attributes_sha256(ds),
        accession_number=_accession_number(ds),
        demographics=_demographics(ds),
        traits=traits,
    )


def _patient(ds: Structure, record: Record, site_issuer: str | None) -> PatientKey:
    issuer = _identifier(ds, _ISSUER_OF_PATIENT_ID, "Issuer of Patient ID")
    if issuer.strip().startswith((OF_SENDER, SPLIT)):
        raise Rejected(f"Issuer of Patient ID begins with {OF_SENDER} or {SPLIT}, which stand for keys made here")
    return patient_key(
        _identifier(ds, _PATIENT_ID, "Patient ID"),
        issuer,
        site_issuer,
        record.meta.get("calling_ae_title", ""),
    )


def _accession_number(ds: Structure) -> str:
    return printable(decode_identifier(ds.raw(_ACCESSION_NUMBER), ds.ascii(_SPECIFIC_CHARACTER_SET))).strip()


def _demographics(ds: Structure) -> Demographics:
    """Read Patient's Name, Birth Date and Sex; what is none of these counts as unsaid (PS3.3 C.7.1.1)."""
    name = decode_patient_name(ds.raw(_PATIENT_NAME), ds.ascii(_SPECIFIC_CHARACTER_SET))
    sex = _code_string(ds, _PATIENT_SEX)
    return Demographics(name, _day(ds.ascii(_PATIENT_BIRTH_DATE)), sex if sex in ("F", "M", "O") else "")


def _pixels_sha256(ds: Structure, needed: int) -> str:
    """Digest of Pixel Data: native as little endian and without padding, compressed as the fragments lie."""
    element = ds.elements.get(PIXEL_DATA)
    if element is None:
        return ""
    if element.length is None:
        digest = hashlib.sha256()
        for fragment in ds.fragments(element):
            digest.update(fragment)
        return digest.hexdigest()
    length = min(needed, element.length) if needed else element.length
    native = memoryview(ds.data)[element.start : element.start + length]
    if ds.big_endian and (ds.number(_BITS_ALLOCATED) or 0) > 8:
        return _swapped_sha256(native, (ds.number(_BITS_ALLOCATED) or 16) // 8)
    return hashlib.sha256(native).hexdigest()


def _swapped_sha256(native: memoryview, size: int) -> str:
    """Digest of words of so many bytes, each turned round; an incomplete one at the end stays as it is."""
    digest = hashlib.sha256()
    for at in range(0, len(native), size * _WORDS_AT_ONCE):
        piece = native[at : at + size * _WORDS_AT_ONCE]
        whole, turned = len(piece) - len(piece) % size, bytearray(piece)
        for n in range(size):
            turned[n:whole:size] = piece[size - 1 - n : whole : size]
        digest.update(turned)
    return digest.hexdigest()


def _uid(ds: Structure, tag: int, name: str) -> str:
    uid = ds.ascii(tag)
    if not uid:
        raise Rejected(f"no {name}")
    if not re.fullmatch(r"[0-9.]{1,64}", uid):
        raise Rejected(f"{name} is not a UID")
    return uid


def _same(ds: Structure, tag: int, name: str, requested: str) -> str:
    uid = _uid(ds, tag, name)
    if uid != requested:
        raise Rejected(f"{name} differs from the C-STORE request's")
    return uid


def _identifier(ds: Structure, tag: int, name: str) -> str:
    text = decode_identifier(ds.raw(tag), ds.ascii(_SPECIFIC_CHARACTER_SET))
    if not text.isprintable():
        raise Rejected(f"{name} holds control characters")
    if "\ufffd" in text:
        raise Rejected(f"{name} holds U+FFFD: a letter of it was lost on the way, and two may have become one")
    return text


def _code_string(ds: Structure, tag: int) -> str:
    """Return the first value of a CS, empty where it is not one (PS3.5 6.2)."""
    text = ds.ascii(tag).split("\\")[0].strip().upper()
    return text if re.fullmatch(r"[A-Z0-9_ ]{0,16}", text) else ""


def _view(ds: Structure) -> str:
    for item in ds.items(_VIEW_CODE_SEQUENCE):
        if view := _VIEWS.get(item.ascii(_CODE_VALUE)):
            codes = [modifier.ascii(_CODE_VALUE) for modifier in item.items(_VIEW_MODIFIER_CODE_SEQUENCE)]
            marks = {_MODIFIERS.get(code, "") for code in codes}
            before = sorted(marks & {"M", "S"})
            return "".join([*before, view, *sorted(marks - {"M", "S"})])
    return _code_string(ds, _VIEW_POSITION)


def _day(text: str) -> date | None:
    """Read a DA or the day of a DT, also in the form of ACR-NEMA, YYYY.MM.DD."""
    match = re.match(r"(\d{4})(\.?)(\d\d)\2(\d\d)", text, re.ASCII)
    try:
        return date(int(match[1]), int(match[3]), int(match[4])) if match else None
    except ValueError:
        return None


def _frames(ds: Structure) -> int:
    text = ds.ascii(_NUMBER_OF_FRAMES)
    return max(int(text), 1) if re.fullmatch(r"\+?\d{1,9}", text, re.ASCII) else 1


def _check_pixels(ds: Structure, transfer_syntax_uid: str) -> int:
    """Refuse Pixel Data that is shorter than its attributes say (PS3.5 8.1.1); return how long these say it is.

    0: they do not say, or it is compressed.
    """
    element = ds.elements.get(PIXEL_DATA)
    rows, columns, bits = ds.number(_ROWS), ds.number(_COLUMNS), ds.number(_BITS_ALLOCATED)
    if (
        element is None
        or element.length is None
        or transfer_syntax_uid not in NATIVE
        or not (rows and columns and bits)
    ):
        return 0
    samples = _SAMPLES_OF.get(_code_string(ds, _PHOTOMETRIC_INTERPRETATION), float(ds.number(_SAMPLES_PER_PIXEL) or 1))
    needed = -(-int(rows * columns * samples * bits * _frames(ds)) // 8)
    if element.length < needed:
        raise Rejected(f"truncated: Pixel Data has {element.length} of {needed} bytes")
    return needed
