"""The use case of this room: a result and its source images in, validated objects in sending order out."""

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, tzinfo
from typing import Final, TypeAlias

from agent.core.errors import Permanent
from agent.core.result import Kind, Result, ResultObject, SourceImage
from agent.report.capture import Captured, captures
from agent.report.catalogue import Language
from agent.report.comprehensive import in_reserve
from agent.report.draft import DeviceIdentity, Draft
from agent.report.drawing import drawing
from agent.report.encode import Trees, encode
from agent.report.key_object import key_objects
from agent.report.presentation_state import presentation_states
from agent.report.rejection import rejections
from agent.report.segmentation import segmentations
from agent.report.slot import Finished
from agent.report.source_header import Headers
from agent.report.sr import report
from agent.report.text_sr import text_report
from agent.report.validate import validate, validate_one, validate_together

__all__ = ["ALWAYS", "Composer", "DeviceIdentity", "Language", "Note"]

ALWAYS: Final = frozenset({Kind.SR, Kind.TEXT_SR, Kind.SECONDARY_CAPTURE})
"""Kinds that every result has, whoever gets them."""

Note: TypeAlias = Callable[[Kind, str], None]
"""Is told of a kind of which nothing was made, and why; the reason holds no value of a header."""
_REFUSED: Final = (Permanent, ValueError, TypeError, AttributeError)
"""What our gate, highdicom and pydicom raise where something in a source's header does not suit them."""


def _nobody(kind: Kind, reason: str) -> None:
    """Tell nobody."""


class Composer:
    """Makes the objects of a result. The same result and images give the same bytes, however often it is called.

    Parameters
    ----------
    device
        What the objects say of their maker.
    zone
        The site's time zone: DICOM dates and times carry none.
    language
        Of the pages and pictures.
    kinds
        What any destination gets. Kinds of `ALWAYS` are made besides; of the others only these.
    """

    def __init__(
        self,
        device: DeviceIdentity,
        zone: tzinfo = UTC,
        language: Language = Language.ENGLISH,
        kinds: Collection[Kind] = ALWAYS,
    ) -> None:
        self._device = device
        self._zone = zone
        self._language = language
        self._kinds = frozenset(kinds)

    def __call__(
        self, result: Result, sources: Sequence[SourceImage], note: Note = _nobody
    ) -> tuple[ResultObject, ...]:
        """Return the objects in sending order: SRs, text SR, captures, then what only some destinations get.

        What another one needs goes before it, an SR in reserve right after the one for which it stands, and what
        rejects an earlier version last. Of what is drawn or listed besides (segmentations, presentation states, Key
        Objects) a kind that cannot be made, or breaks a rule, is left out whole and told to `note`.

        Raises
        ------
        Permanent
            If there is no source image, or an SR, a text SR, a capture or a rejection breaks a rule of `validate`; the
            message names the rule.
        """
        draft = Draft.of(result, sources, self._device, self._zone, self._language)
        pictured = captures(draft)
        made = [*_reports(draft, pictured), text_report(draft), *(c.finished for c in pictured)]
        rejecting = self._rejections(draft)
        for one in (*made, *rejecting):
            validate_one(draft, one)
        besides = self._besides(draft, pictured, {s.instance.sop_instance_uid: s.header for s in sources}, note)
        finished = [*made, *besides, *rejecting]
        validate_together(draft, finished)
        return _encoded(finished)

    def rejecting(self, result: Result, sources: Sequence[SourceImage]) -> tuple[ResultObject, ...]:
        """Return only what rejects the objects of earlier versions: for a result of which nothing else is sent.

        Raises
        ------
        Permanent
            As a call does.
        """
        if Kind.REJECTION not in self._kinds or not result.superseded:
            return ()
        draft = Draft.of(result, sources, self._device, self._zone, self._language)
        rejecting = self._rejections(draft)
        validate(draft, rejecting, alone=True)
        return _encoded(rejecting)

    def _besides(self, draft: Draft, pictured: Sequence[Captured], headers: Headers, note: Note) -> list[Finished]:
        makers: dict[Kind, Callable[[], list[Finished]]] = {
            Kind.SEGMENTATION: lambda: segmentations(draft, headers),
            Kind.PRESENTATION_STATE: lambda: presentation_states(draft, headers),
            Kind.KEY_OBJECT: lambda: key_objects(draft, pictured),
        }
        made: list[Finished] = []
        for kind in (one for one in makers if one in self._kinds):
            try:
                made += _sound(draft, makers[kind]())
            except _REFUSED as exc:
                note(kind, str(exc) if isinstance(exc, Permanent) else f"{type(exc).__name__} while it was made")
        return made

    def _rejections(self, draft: Draft) -> list[Finished]:
        return rejections(draft) if Kind.REJECTION in self._kinds else []


def _reports(draft: Draft, pictured: Sequence[Captured]) -> list[Finished]:
    """Return each axilla's SR, and right after it the one in reserve."""
    made: list[Finished] = []
    for rank, estimate in enumerate(draft.ranked):
        drawn = drawing(draft, estimate, pictured)
        if drawn is not None:
            one = report(draft, rank, estimate, drawn)
            made += [one, in_reserve(draft, rank, one, drawn.source)]
    return made


def _sound(draft: Draft, finished: list[Finished]) -> list[Finished]:
    """Return objects each of which keeps the rules and can be written."""
    for one in finished:
        validate_one(draft, one)
        encode(one)
    return finished


def _encoded(finished: Sequence[Finished]) -> tuple[ResultObject, ...]:
    trees: Trees = {}
    return tuple(encode(one, trees) for one in _sending_order(finished))


def _sending_order(finished: Sequence[Finished]) -> list[Finished]:
    """Put what an SR needs right before it; otherwise keep the order."""
    by_uid = {str(one.ds.SOPInstanceUID): one for one in finished}
    order = dict.fromkeys(uid for own, one in by_uid.items() for uid in (*one.needs, own))
    return [by_uid[uid] for uid in order]
