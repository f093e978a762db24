"""The same SOP Instance UID again: a duplicate, a correction, or a conflict."""

from dataclasses import replace
from enum import StrEnum

from agent.core.instance import Instance
from agent.core.person_name import normalised


class Again(StrEnum):
    """What an object is that came under the UID of a known one."""

    DUPLICATE = "the same bytes again"
    REENCODED = "the same object in another encoding"
    CORRECTION = "the same SOP Instance UID with other patient or study attributes: a person decides"
    OTHER_PIXELS = "conflict: the same SOP Instance UID with other pixels: a person decides"


def same_bytes(known: Instance, read: Instance) -> bool:
    """Whether two objects are the same to the byte."""
    return (known.sha256, known.transfer_syntax_uid) == (read.sha256, read.transfer_syntax_uid)


def same_attributes(known: Instance, read: Instance) -> bool:
    """Whether two objects say the same beside their pixels, however it is encoded."""
    return _bare(known) == _bare(read)


def pixels_told_apart(known: Instance, read: Instance) -> bool | None:
    """Whether the pixels of two objects differ; None where only decoding tells: the encodings do.

    Both native: their digests are of the same form (little endian). Both of one compression: so are their fragments.
    """
    if known.pixels_sha256 == read.pixels_sha256:
        return False
    if (known.rows, known.columns, known.frames) != (read.rows, read.columns, read.frames):
        return True
    return True if known.transfer_syntax_uid == read.transfer_syntax_uid else None


def _bare(instance: Instance) -> Instance:
    said = instance.demographics
    return replace(
        instance,
        sha256="",
        pixels_sha256="",
        transfer_syntax_uid="",
        barred="",
        demographics=replace(said, name=normalised(said.name)),
    )
