"""The use case of this room: a result and its source images in, validated objects in sending order out."""

from collections.abc import Sequence
from datetime import UTC, tzinfo

from agent.core.result import Result, ResultObject, SourceImage
from agent.report.capture import captures
from agent.report.catalogue import Language
from agent.report.draft import DeviceIdentity, Draft, Finished
from agent.report.drawing import drawing
from agent.report.encode import encode
from agent.report.sr import report
from agent.report.text_sr import text_report
from agent.report.validate import validate

__all__ = ["Composer", "DeviceIdentity", "Language"]


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
    """

    def __init__(self, device: DeviceIdentity, zone: tzinfo = UTC, language: Language = Language.ENGLISH) -> None:
        self._device = device
        self._zone = zone
        self._language = language

    def __call__(self, result: Result, sources: Sequence[SourceImage]) -> tuple[ResultObject, ...]:
        """Return the objects in sending order: SRs, text SR, captures; what another one needs goes before it.

        Raises
        ------
        Permanent
            If there is no source image, or an object breaks a rule of `validate`; the message names the rule.
        """
        draft = Draft.of(result, sources, self._device, self._zone, self._language)
        pictured = captures(draft)
        drawings = [(n, e, drawing(draft, e, pictured)) for n, e in enumerate(draft.ranked)]
        reports = [report(draft, n, estimate, drawn) for n, estimate, drawn in drawings if drawn]
        finished = [*reports, text_report(draft), *(c.finished for c in pictured)]
        validate(draft, finished)
        return tuple(encode(one) for one in _sending_order(finished))


def _sending_order(finished: Sequence[Finished]) -> list[Finished]:
    """Put what an SR needs right before it; otherwise keep the order."""
    by_uid = {str(one.ds.SOPInstanceUID): one for one in finished}
    order = dict.fromkeys(uid for own, one in by_uid.items() for uid in (*one.needs, own))
    return [by_uid[uid] for uid in order]
