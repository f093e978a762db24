"""How our objects name others (PS3.3 C.17.2.1)."""

from collections.abc import Iterable

from pydicom import Dataset

from agent.core.instance import Instance
from agent.core.result import Reference


def references(items: Iterable[Reference]) -> list[Dataset]:
    """Return a SOP Instance Reference hierarchy: study, series, instance (PS3.3 C.17.2.1)."""
    studies: dict[str, dict[str, list[Dataset]]] = {}
    for item in items:
        named = Dataset()
        named.ReferencedSOPClassUID = item.sop_class_uid
        named.ReferencedSOPInstanceUID = item.sop_instance_uid
        studies.setdefault(item.study_instance_uid, {}).setdefault(item.series_instance_uid, []).append(named)
    return [_study_item(study, series) for study, series in studies.items()]


def _study_item(study_uid: str, series: dict[str, list[Dataset]]) -> Dataset:
    study = Dataset()
    study.ReferencedSeriesSequence = []
    for series_uid, instances in series.items():
        item = Dataset()
        item.ReferencedSOPSequence = instances
        item.SeriesInstanceUID = series_uid
        study.ReferencedSeriesSequence.append(item)
    study.StudyInstanceUID = study_uid
    return study


def reference(instance: Instance) -> Reference:
    """How our objects name a source image."""
    return Reference(
        instance.sop_class_uid,
        instance.sop_instance_uid,
        instance.study_instance_uid,
        instance.series_instance_uid,
    )
