"""A store and a spool with one case that is ready, and a worker that answers it with the tiny bundle."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydicom import Dataset

from agent.core.case import Case, CaseEvent
from agent.core.clinical import ClinicalFacts, Fact, Refusal, Value
from agent.core.clinical_json import facts_to_json
from agent.core.errors import SentinodeError
from agent.core.instance import Arrival, End, Instance, Traits
from agent.core.patient import PatientKey
from agent.core.ports import RecordKind, StoredInstance
from agent.core.result import Kind, Result, ResultObject, SourceImage
from agent.dicom.enhanced import mr_slices
from agent.dicom.geometry import ultrasound_scale
from agent.dicom.part10 import to_part10
from agent.dicom.pixels import decode, header, open_frames
from agent.infer.admission import ActiveBundle
from agent.infer.answer import Answerer, AnswerSettings
from agent.infer.engine import Engine
from agent.infer.lineage import Origin
from agent.infer.reader import ImageReader
from tests.builders import PATIENT, instance_of, mammogram, part10
from tests.builders_bundle import write_bundle
from tests.fakes.spool import FakeSpool
from tests.fakes.store import FakeStore
from tests.state_stores import CASE_UUID, result_object

T0 = datetime(2026, 1, 6, 9, 30, tzinfo=UTC)
PACS = {"pacs": frozenset(Kind)}
BOTH_SIDES = ({"side": "L", "reason": ""}, {"side": "R", "reason": ""})
ORIGIN = Origin(
    version="1.2.3",
    code="c0" * 32,
    python="3.11.2",
    libraries={"numpy": "2.0.0"},
    configuration="cf" * 32,
    configuration_keys={"site.prevalence": "0123456789abcdef"},
    ehr_query="e0" * 32,
    time_zone="UTC",
)
LEFT = ({"side": "L", "reason": ""},)


def facts(**values: Value) -> ClinicalFacts:
    """Facts that became known on 1 January 2026."""
    return ClinicalFacts(MappingProxyType({n: Fact(v, date(2026, 1, 1), "demo") for n, v in values.items()}))


KNOWN = facts(size_ultrasound_mm=30.0, birth_date=date(1956, 1, 1))  # 1 sd above the mean, and 70 years: 1 sd too


def findings(
    known: ClinicalFacts = KNOWN,
    *,
    axillae: Sequence[Mapping[str, str]] = LEFT,
    reason: str = "",
    cutoff: str | None = None,
    refused: Sequence[Refusal] = (),
) -> dict[str, Any]:
    """What assemble saves when a case is complete."""
    eligibility = {"asked": True, "reason": reason, "cutoff": cutoff, "axillae": list(axillae), "flags": []}
    return {
        "eligibility": eligibility,
        **facts_to_json(replace(known, refused=tuple(refused))),
        "evidence": ["quiet for 60 s"],
        "missing": [],
        "asked_at": T0.isoformat(),
    }


def four_views(study: str = "s1", day: date = date(2026, 1, 5)) -> list[Dataset]:
    """Both views of both breasts."""
    return [mammogram(side, view, study=study, day=day) for side in "LR" for view in ("CC", "MLO")]


def traits_of(ds: Dataset) -> Traits:
    """What indexing keeps of an image's kind and contrast."""
    return Traits(
        image_type=tuple(ds.get("ImageType") or ()),
        series_description=ds.get("SeriesDescription", ""),
        body_part=ds.get("BodyPartExamined", ""),
        contrast=ds.get("ContrastBolusAgent", ""),
    )


class FakeComposer:
    """Makes one text SR a result, and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[tuple[Result, tuple[SourceImage, ...]]] = []
        self.error: SentinodeError | None = None
        self.left_out: dict[Kind, str] = {}

    def __call__(
        self, result: Result, sources: Sequence[SourceImage], note: Callable[[Kind, str], None]
    ) -> Sequence[ResultObject]:
        """Compose, or fail as told."""
        if self.error:
            raise self.error
        for kind, reason in self.left_out.items():
            note(kind, reason)
        self.given.append((result, tuple(sources)))
        root = f"2.25.{result.case_uuid.int % 10**20}{result.version}"
        sr, text = result_object(f"{root}1"), result_object(f"{root}2", Kind.TEXT_SR)
        return (sr, text)


class FakeWatchdog:
    """Remembers for how long it was armed each time; None: it was disarmed."""

    def __init__(self) -> None:
        self.told: list[float | None] = []

    def arm(self, seconds: float) -> None:
        """Note the time that is given."""
        self.told.append(seconds)

    def disarm(self) -> None:
        """Note the end of the watch."""
        self.told.append(None)


@dataclass
class Scene:
    """Everything around one worker."""

    engine: Engine
    patient: PatientKey = PATIENT
    store: FakeStore = field(default_factory=FakeStore)
    spool: FakeSpool = field(default_factory=FakeSpool)
    compose: FakeComposer = field(default_factory=FakeComposer)
    watchdog: FakeWatchdog = field(default_factory=FakeWatchdog)
    quarantined: list[tuple[str, bytes, str]] = field(default_factory=list)
    now: datetime = T0

    def ready(self, images: Sequence[Dataset], found: Mapping[str, Any] | None = None, number: int = 0) -> Case:
        """Store the images of a case and prove it complete."""
        with self.store.unit() as unit:
            case = unit.open_case(self.engine.manifest.question, self.patient, T0, _uuid(number))
        case = self.add(case, images)
        with self.store.unit() as unit:
            unit.save_findings(case, findings() if found is None else found)
            return unit.apply(case, CaseEvent.COMPLETE, T0)

    def add(self, case: Case, images: Sequence[Dataset]) -> Case:
        """Store images of a version that is still collecting."""
        with self.store.unit() as unit:
            for ds in images:
                case = self._add(unit, case, ds)
        return case

    def _add(self, unit: Any, case: Case, ds: Dataset) -> Case:
        whole = part10(ds)
        frames, laterality = int(ds.get("NumberOfFrames", 1)), ds.get("ImageLaterality") or ds.get("Laterality")
        instance: Instance = replace(
            instance_of(ds, self.patient), frames=frames, laterality=laterality or "", traits=traits_of(ds)
        )
        meta = {
            "sop_class_uid": instance.sop_class_uid,
            "sop_instance_uid": instance.sop_instance_uid,
            "transfer_syntax_uid": instance.transfer_syntax_uid,
        }
        length = int.from_bytes(whole[140:144], "little")
        ref = self.spool.add(RecordKind.INSTANCE, meta, whole[144 + length :])
        arrival = Arrival(ref, T0, "run/1", instance.sop_instance_uid, End.COLLECTED, "")
        moved: Case = unit.add_instance(case, instance, arrival, T0)
        return moved

    def worker(self, *, bundles: Sequence[ActiveBundle] | None = None, **settings: Any) -> Answerer:
        """A worker on this store and spool."""
        own = ActiveBundle(self.engine, frozenset({"PHANTOM"}), send_research=False)
        return Answerer(
            store=self.store,
            engines=[own] if bundles is None else bundles,
            reader=ImageReader(
                spool=self.spool,
                to_part10=to_part10,
                decode=decode,
                header=header,
                ultrasound_scale=ultrasound_scale,
                mr_slices=mr_slices,
                open_frames=open_frames,
            ),
            compose=self.compose,
            quarantine=self.keep,
            destinations=PACS,
            settings=AnswerSettings(worker="worker-1", **settings),
            watchdog=self.watchdog,
            now=lambda: self.now,
            origin=ORIGIN,
        )

    def keep(self, stored: StoredInstance, whole: bytes, reason: str) -> None:
        """Play the quarantine."""
        self.quarantined.append((stored.instance.sop_instance_uid, whole, reason))

    def case(self, case: Case) -> Case:
        """The case as it stands now."""
        with self.store.unit() as unit:
            return unit.case(case.id)

    def summary(self, case: Case) -> Mapping[str, Any]:
        """The summary that was saved."""
        with self.store.unit() as unit:
            return unit.summary(case.id)

    def left_out(self, case: Case) -> dict[str, str]:
        """Why images of the version are not used, by SOP Instance UID."""
        with self.store.unit() as unit:
            return {x.stored.instance.sop_instance_uid: x.left_out for x in unit.links(case.id) if x.left_out}

    def used(self, case: Case) -> set[str]:
        """SOP Instance UIDs of the images that the answer rests on."""
        with self.store.unit() as unit:
            return {x.stored.instance.sop_instance_uid for x in unit.links(case.id) if x.used}

    def later(self, seconds: float) -> None:
        """Move the clock."""
        self.now += timedelta(seconds=seconds)

    @property
    def result(self) -> Result:
        """The last result that was composed."""
        return self.compose.given[-1][0]

    @property
    def sources(self) -> tuple[SourceImage, ...]:
        """The source images of the last result."""
        return self.compose.given[-1][1]


def load_engine(folder: Path, **changes: Any) -> Engine:
    """The tiny bundle, loaded; `changes` replace keys of its manifest."""
    return Engine.load(write_bundle(folder, **changes), "cpu")


def _uuid(number: int) -> Any:
    return type(CASE_UUID)(int=CASE_UUID.int + number)
