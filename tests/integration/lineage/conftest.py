"""An installation that is not running, with a patient whose case was answered."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import pytest
import yaml
from pydicom import Dataset

from agent.bootstrap.inspect import open_store
from agent.bootstrap.rerunning import rerun_dry
from agent.bootstrap.worker import build_answerer
from agent.config import Config, load_config
from agent.core.case import Case, CaseEvent, CaseState
from agent.core.instance import Arrival, End, Instance
from agent.core.ports import RecordKind, Unit
from agent.dicom.decoding import Decoder
from agent.operate.comparison import Comparison
from agent.spool import SpoolReader, SpoolWriter
from agent.state.migration import migrate
from tests.builders import PATIENT, instance_of, part10
from tests.builders_bundle import write_bundle
from tests.infer_scene import T0, findings, four_views, traits_of
from tests.peers import ROOT

_Done = TypeVar("_Done")


class Installation:
    """Spool, state and the tiny bundle in a folder, and what its worker decodes with."""

    def __init__(self, folder: Path, decoder: Decoder) -> None:
        self.folder, self.overrides, self._decoder = folder, folder / "overrides.yaml", decoder
        self.state, self._read = folder / "state.db", b""
        write_bundle(folder / "tiny-1.0.0")
        self.write(
            {
                "storage": {"spool": str(folder / "spool"), "quarantine": str(folder / "quarantine")},
                "database": {"url": f"sqlite:///{self.state}"},
                "models": [{"bundle": str(folder / "tiny-1.0.0"), "device": "cpu"}],
            }
        )
        migrate(self.config.database.url, new_uuid=lambda: UUID(int=7))

    def write(self, content: Mapping[str, Any]) -> None:
        """Replace the overrides."""
        self.overrides.write_text(yaml.safe_dump(dict(content)), encoding="utf-8")

    def override(self, section: str, **keys: Any) -> None:
        """Change keys of a section."""
        content = yaml.safe_load(self.overrides.read_text(encoding="utf-8"))
        self.write({**content, section: {**content.get(section, {}), **keys}})

    def override_models(self, bundle: str) -> None:
        """Use another bundle of the folder."""
        content = yaml.safe_load(self.overrides.read_text(encoding="utf-8"))
        self.write({**content, "models": [{"bundle": str(self.folder / bundle), "device": "cpu"}]})

    def sql(self, statement: str, *values: object) -> None:
        """Change the state behind the agent's back."""
        with closing(sqlite3.connect(self.state)) as db, db:
            assert db.execute(statement, values).rowcount == 1

    @property
    def config(self) -> Config:
        """As it stands now; read again only where the overrides changed."""
        content = self.overrides.read_bytes()
        if content != self._read:
            self._read, self._loaded = content, load_config(ROOT / "config.yaml", [self.overrides]).config
        return self._loaded

    def do(self, work: Callable[[Unit], _Done]) -> _Done:
        """Do something in one unit."""
        with closing(open_store(self.config)) as store, store.unit() as unit:
            return work(unit)

    def receive(self, unit: Unit, case: Case, images: Sequence[Dataset]) -> Case:
        """Put images into the spool and into a case."""
        limits = {"limit_bytes": 1 << 28, "refuse_below_free_bytes": 0}
        writer = SpoolWriter(self.config.storage.spool, now=lambda: T0, **limits)
        channel = writer.channel()
        known = {ds.SOPInstanceUID: _received(ds) for ds in images}
        for uid, (instance, payload) in known.items():
            named = {"sop_class_uid": instance.sop_class_uid, "transfer_syntax_uid": instance.transfer_syntax_uid}
            channel.append(RecordKind.INSTANCE, {"sop_instance_uid": uid, **named}, payload)
        channel.close()
        writer.close()
        for record in SpoolReader(self.config.storage.spool).after({}):
            uid = record.meta["sop_instance_uid"]
            if uid in known and unit.find_instance(uid) is None:
                arrival = Arrival(record.ref, T0, "run/1", uid, End.COLLECTED, "")
                case = unit.add_instance(case, known[uid][0], arrival, T0)
        return case

    def answered(self, images: Sequence[Dataset], found: Mapping[str, Any] | None = None) -> Case:
        """Answer the first version of a new case."""
        case = self.do(lambda unit: unit.open_case("aln", PATIENT, T0, UUID(int=1)))
        return self.answer(case, images, found)

    def answer(self, case: Case, images: Sequence[Dataset], found: Mapping[str, Any] | None = None) -> Case:
        """Complete a version that is collecting, and let a worker answer it."""

        def complete(unit: Unit) -> Case:
            grown = self.receive(unit, case, images)
            unit.save_findings(grown, findings() if found is None else found)
            return unit.apply(grown, CaseEvent.COMPLETE, T0)

        self.do(complete)
        self.work()
        return self.do(lambda unit: unit.case(case.id))

    def work(self) -> None:
        """Let a worker answer what is ready."""
        with closing(open_store(self.config)) as store:
            while build_answerer(self.config, store, "worker-1", self._decoder).step():
                pass

    def apply(self, case: Case, *events: CaseEvent) -> Case:
        """Let things happen to a case."""
        for event in events:
            self.do(partial(_apply, case_id=case.id, event=event))
        return self.do(lambda unit: unit.case(case.id))

    def dry(self, case: Case, said: list[str] | None = None) -> Comparison:
        """What `sentinode rerun CASE --dry` finds."""
        return rerun_dry(self.config, case.id, [].append if said is None else said.append)

    def rows(self) -> list[str]:
        """The whole state, as SQL."""
        with closing(sqlite3.connect(self.state)) as db:
            return list(db.iterdump())


def _apply(unit: Unit, case_id: int, event: CaseEvent) -> None:
    unit.apply(unit.case(case_id), event, T0)


def _received(ds: Dataset) -> tuple[Instance, bytes]:
    """What indexing knows of an image, and its dataset as it was received."""
    whole = part10(ds)
    payload = whole[144 + int.from_bytes(whole[140:144], "little") :]
    known = replace(instance_of(ds), laterality=ds.ImageLaterality, traits=traits_of(ds))
    return replace(known, sha256=sha256(payload).hexdigest()), payload


@dataclass(frozen=True)
class Answered:
    """An installation in which a case was answered, and a copy of its folder as it was then."""

    installation: Installation
    case: Case
    copy: Path

    def restored(self) -> Installation:
        """Put the folder back: always the same one, for a lineage names paths."""
        shutil.rmtree(self.installation.folder)
        shutil.copytree(self.copy, self.installation.folder)
        return self.installation


def answer_once(folders: pytest.TempPathFactory, decoder: Decoder, found: Mapping[str, Any]) -> Answered:
    """Answer a case of four views, for every test of a module."""
    made = Installation(folders.mktemp("answered"), decoder)
    case = made.answered(four_views(), found)
    assert case.state is CaseState.DELIVERING, case.reason
    return Answered(made, case, shutil.copytree(made.folder, folders.mktemp("copy") / "as-answered"))


@pytest.fixture(scope="session")
def warm_decoder() -> Iterator[Decoder]:
    """A decoder whose child is started once."""
    with Decoder() as decoder:
        yield decoder


@pytest.fixture
def one_decoder(warm_decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is worked out again be decoded by it: that `rerun` starts one of its own, test_commands shows."""
    monkeypatch.setattr("agent.bootstrap.rerunning.Decoder", lambda: nullcontext(warm_decoder))


@pytest.fixture
def installation(answered: Answered) -> Installation:
    """As it was when the case was answered."""
    return answered.restored()


@pytest.fixture
def case(answered: Answered) -> Case:
    """The answered one."""
    return answered.case


@pytest.fixture
def empty(tmp_path: Path, warm_decoder: Decoder) -> Installation:
    """Nothing received yet."""
    return Installation(tmp_path, warm_decoder)
