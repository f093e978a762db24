"""What else a header says that an image's role can be told by: kind, descriptions, anatomy, sides. It never fails."""

import math
import struct
from collections.abc import Iterator
from itertools import islice
from typing import Final

from agent.core.instance import Traits
from agent.dicom.structure import Structure
from agent.dicom.text import decode_text, printable

_SPECIFIC_CHARACTER_SET: Final = 0x00080005
_IMAGE_TYPE, _STUDY_DESCRIPTION, _SERIES_DESCRIPTION = 0x00080008, 0x00081030, 0x0008103E
_PROTOCOL_NAME, _BODY_PART_EXAMINED = 0x00181030, 0x00180015
_PERFORMED, _REQUESTED = 0x00400254, 0x00321060
_IMAGE_COMMENTS, _ACQUISITION_COMMENTS, _ACQUISITION_CONTEXT = 0x00204000, 0x00184000, 0x00400555
_CONCEPT_CODE, _TEXT_VALUE = 0x0040A168, 0x0040A160
_ANATOMIC_REGION, _ANATOMIC_REGION_MODIFIER = 0x00082218, 0x00082220
_PRIMARY_ANATOMIC_STRUCTURE, _PRIMARY_MODIFIER = 0x00082228, 0x00082230
_FRAME_ANATOMY, _FRAME_LATERALITY = 0x00209071, 0x00209072
_SHARED_GROUPS, _PER_FRAME_GROUPS = 0x52009229, 0x52009230
_MR_DIFFUSION = 0x00189117
_CODE_VALUE, _CODE_MEANING = 0x00080100, 0x00080104
_IMAGE_LATERALITY, _LATERALITY = 0x00200062, 0x00200060
_CONTRAST_BOLUS_AGENT, _TEMPORAL_POSITION = 0x00180010, 0x00200100
_ACQUISITION_DATE_TIME, _ACQUISITION_TIME = 0x0008002A, 0x00080032
_DERIVATION_DESCRIPTION, _DERIVATION_CODE, _LOSSY = 0x00082111, 0x00089215, 0x00282110
_MAGNIFICATION, _ECHO_TIME, _B_VALUE = 0x00181114, 0x00180081, 0x00189087
_QUALITY_CONTROL, _SPECIMEN = 0x00280300, 0x00400560
_SPECIMEN_SHORT, _SPECIMEN_DETAILED = 0x00400600, 0x00400602
_STATION_NAME, _MANUFACTURER, _MODEL = 0x00081010, 0x00080070, 0x00081090

_SIDES: Final = {"7771000": "L", "G-A101": "L", "24028007": "R", "G-A100": "R", "51440002": "B", "G-A102": "B"}
"""Of a modifier of the anatomy (PS3.16 CID 244), SNOMED CT and its older SNOMED-RT form."""
_LONGEST: Final = 256  # characters of a text that are kept
_MOST_FRAMES: Final = 64  # whose side is looked at
_MOST_ITEMS: Final = 16


def read_traits(ds: Structure) -> Traits:
    """Read the traits of an object; what cannot be read counts as unsaid."""
    return _Reader(ds).traits()


class _Reader:
    """One object's elements as texts."""

    def __init__(self, ds: Structure) -> None:
        self._ds = ds
        self._character_set = ds.ascii(_SPECIFIC_CHARACTER_SET)

    def traits(self) -> Traits:
        ds = self._ds
        anatomy = list(self._anatomy())
        return Traits(
            image_type=tuple(value.strip().upper() for value in self._text(_IMAGE_TYPE).split("\\"))
            if ds.raw(_IMAGE_TYPE)
            else (),
            study_description=self._text(_STUDY_DESCRIPTION),
            series_description=self._text(_SERIES_DESCRIPTION),
            protocol_name=self._text(_PROTOCOL_NAME),
            body_part=self._text(_BODY_PART_EXAMINED),
            anatomy=_distinct(self._text(_CODE_MEANING, item) for item in anatomy),
            comments=_distinct((self._text(_IMAGE_COMMENTS), self._text(_ACQUISITION_COMMENTS), *self._context())),
            contrast=self._text(_CONTRAST_BOLUS_AGENT),
            temporal_position=_whole(ds.ascii(_TEMPORAL_POSITION)),
            acquired_at=self._text(_ACQUISITION_DATE_TIME)[:26] or self._text(_ACQUISITION_TIME)[:16],
            sides=self._sides(anatomy),
            anatomy_codes=_distinct(self._text(_CODE_VALUE, item)[:16] for item in anatomy),
            procedure=self._text(_PERFORMED) or self._text(_REQUESTED),
            derivation=_distinct(
                (
                    self._text(_DERIVATION_DESCRIPTION),
                    *(self._text(_CODE_MEANING, item) for item in self._items(_DERIVATION_CODE)),
                )
            ),
            lossy=ds.ascii(_LOSSY) == "01",
            magnification=_decimal(ds.ascii(_MAGNIFICATION)),
            echo_time_ms=_decimal(ds.ascii(_ECHO_TIME)),
            b_value=self._b_value(),
            quality_control=ds.ascii(_QUALITY_CONTROL).upper() == "YES",
            specimen=_distinct(
                self._text(tag, item)
                for item in self._items(_SPECIMEN)
                for tag in (_SPECIMEN_SHORT, _SPECIMEN_DETAILED)
            ),
            station=self._text(_STATION_NAME),
            scanner=f"{self._text(_MANUFACTURER)} {self._text(_MODEL)}".strip(),
        )

    def _text(self, tag: int, of: Structure | None = None) -> str:
        raw = (of or self._ds).raw(tag)
        if not raw:
            return ""
        text = decode_text(raw[: 4 * _LONGEST], self._character_set, "replace")
        return printable(text).strip()[:_LONGEST]

    def _items(self, tag: int, of: Structure | None = None) -> Iterator[Structure]:
        return islice((of or self._ds).items(tag), _MOST_ITEMS)

    def _anatomy(self) -> Iterator[Structure]:
        """Yield the codes of the anatomy, of the object and of its specimens, each followed by its modifiers."""
        for place in (self._ds, *self._items(_SPECIMEN), *self._frame_anatomies(1)):
            for name, modifier in (
                (_ANATOMIC_REGION, _ANATOMIC_REGION_MODIFIER),
                (_PRIMARY_ANATOMIC_STRUCTURE, _PRIMARY_MODIFIER),
            ):
                for item in self._items(name, place):
                    yield item
                    yield from self._items(modifier, item)

    def _frame_anatomies(self, frames: int) -> Iterator[Structure]:
        for groups in (_SHARED_GROUPS, _PER_FRAME_GROUPS):
            for frame in islice(self._ds.items(groups), frames):
                yield from self._items(_FRAME_ANATOMY, frame)

    def _context(self) -> Iterator[str]:
        """Yield the values of the Acquisition Context (PS3.3 C.7.6.14), which says for instance the site of a probe."""
        for item in self._items(_ACQUISITION_CONTEXT):
            yield self._text(_TEXT_VALUE, item)
            yield from (self._text(_CODE_MEANING, code) for code in self._items(_CONCEPT_CODE, item))

    def _sides(self, anatomy: list[Structure]) -> tuple[str, ...]:
        """Return every side that is stated, the image's own first. Frames of both sides are an image of both."""
        frames = {_side(one.ascii(_FRAME_LATERALITY)) for one in self._frame_anatomies(_MOST_FRAMES)} - {""}
        stated = [
            _side(self._ds.ascii(_IMAGE_LATERALITY)),
            _side(self._ds.ascii(_LATERALITY)),
            *(frames if len(frames) < 2 else ("B",)),
            *(_SIDES.get(item.ascii(_CODE_VALUE), "") for item in anatomy),
        ]
        return tuple(dict.fromkeys(side for side in stated if side))

    def _b_value(self) -> float | None:
        places = [self._ds, *(item for frame in self._first_frames() for item in self._items(_MR_DIFFUSION, frame))]
        for place in places:
            raw = place.raw(_B_VALUE)
            if len(raw) == 8:
                (value,) = struct.unpack(">d" if place.big_endian else "<d", raw)
                return float(value) if math.isfinite(value) else None
        return None

    def _first_frames(self) -> Iterator[Structure]:
        for groups in (_SHARED_GROUPS, _PER_FRAME_GROUPS):
            yield from islice(self._ds.items(groups), 1)


def _side(text: str) -> str:
    side = text.split("\\")[0].strip().upper()
    return side if side in ("L", "R", "B") else ""


def _distinct(texts: Iterator[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else None


def _decimal(text: str) -> float | None:
    try:
        value = float(text.split("\\")[0])
    except ValueError:
        return None
    return value if math.isfinite(value) else None
