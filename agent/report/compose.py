"""The use case of this room: a result and its source images in, validated objects in sending order out."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, tzinfo

from agent.core.prediction import Answer, Estimate
from agent.core.result import Result, ResultObject, SourceImage
from agent.report.capture import capture_reference, heatmap_capture, heatmap_slot, summary_capture
from agent.report.draft import DeviceIdentity, Draft, Finished, Place, Slot, reference
from agent.report.encode import encode
from agent.report.heatmap import Picture
from agent.report.region import strongest
from agent.report.sr import Drawn, report
from agent.report.text_sr import text_report
from agent.report.validate import validate

__all__ = ["Composer", "DeviceIdentity"]


class Composer:
    """Makes the objects of a result. The same result and images give the same bytes, however often it is called.

    Parameters
    ----------
    device
        What the objects say of their maker.
    zone
        The site's time zone: DICOM dates and times carry none.
    """

    def __init__(self, device: DeviceIdentity, zone: tzinfo = UTC) -> None:
        self._device = device
        self._zone = zone

    def __call__(self, result: Result, sources: Sequence[SourceImage]) -> tuple[ResultObject, ...]:
        """Return the objects in sending order: SRs, text SR, captures; what another one needs goes before it.

        Raises
        ------
        Permanent
            If there is no source image, or an object breaks a rule of `validate`; the message names the rule.
        """
        draft = Draft.of(result, sources, self._device, self._zone)
        captures = _Captures(draft)
        reports = [made for n, e in enumerate(draft.ranked) if (made := _report(draft, captures, n, e))]
        finished = [*reports, text_report(draft), *captures.finished]
        validate(draft, finished)
        return tuple(encode(one) for one in _sending_order(finished))


class _Captures:
    """All captures of a result, with the pictures that regions may lie on."""

    def __init__(self, draft: Draft) -> None:
        self.finished: list[Finished] = []
        self.pictures: dict[tuple[str, str], tuple[Slot, Picture]] = {}  # side, SOP Instance UID of the source
        numbers: Counter[str] = Counter()  # Instance Number runs within a study's series
        for estimate in draft.ranked:
            for index, place in enumerate(draft.places(estimate), start=1):
                instance = place.source.instance
                numbers[instance.study_instance_uid] += 1
                slot = heatmap_slot(estimate.side, index, numbers[instance.study_instance_uid])
                made, picture = heatmap_capture(draft, slot, estimate, place)
                self.finished.append(made)
                self.pictures[estimate.side, instance.sop_instance_uid] = slot, picture
        unseen = _unseen(draft)
        if unseen:
            self.finished.append(summary_capture(draft, unseen))


def _unseen(draft: Draft) -> tuple[Answer, ...]:
    """Return the answers that no heatmap shows."""
    return (*(e for e in draft.ranked if not draft.places(e)), *draft.refused)


def _report(draft: Draft, captures: _Captures, rank: int, estimate: Estimate) -> Finished | None:
    """Return the SR of an axilla; None where no image of it has a region, which an SR cannot be without."""
    for place in draft.places(estimate):
        box = strongest(place.influence.saliency_hw)
        if box is None:
            continue
        source = place.source
        drawn = Drawn(
            source,
            box.scaled(source.reduction).within(source.instance.columns, source.instance.rows),
            on=reference(source.instance),
        )
        if _is_temporal(draft, place):
            slot, picture = captures.pictures[estimate.side, source.instance.sop_instance_uid]
            capture = capture_reference(draft, slot, source)
            moved = drawn.box.scaled(picture.scale, picture.left, picture.top)
            drawn = Drawn(source, moved, on=capture, needs=(capture,))
        return report(draft, rank, estimate, drawn)
    return None


def _is_temporal(draft: Draft, place: Place) -> bool:
    """Whether viewers show the image's series as 4D: an SR with a region on it freezes them."""
    series = place.source.instance.series_instance_uid
    return len({s.temporal_position for s in draft.sources if s.instance.series_instance_uid == series}) > 1


def _sending_order(finished: Sequence[Finished]) -> list[Finished]:
    """Put what an SR needs right before it; otherwise keep the order."""
    by_uid = {str(f.ds.SOPInstanceUID): f for f in finished}
    return [by_uid[uid] for uid in dict.fromkeys(uid for f in finished for uid in (*f.needs, str(f.ds.SOPInstanceUID)))]
