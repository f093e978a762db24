"""The same instance a hundred times, concurrently, and corrected ones: from the wire to one row."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from agent.assemble.index import Indexer, IndexSettings, Reading
from agent.assemble.judging import QuestionScope
from agent.core.case import CaseState
from agent.core.instance import End
from agent.core.patient import PatientKey
from agent.core.ports import RecordKind
from agent.dicom.header import read_header
from agent.dicom.part10 import to_part10
from agent.dicom.same_pixels import same_pixels
from agent.receive import Receiver
from agent.record.quarantine import Quarantine
from agent.spool import SpoolReader, SpoolWriter
from agent.state import SqlStore
from agent.state.tables import arrival, instance
from tests.fakes.instances import DEFLATED, IMPLICIT, MAMMOGRAM, encode, mammogram, uid
from tests.receivers import SETTINGS, SUCCESS, Running, open_association
from tests.senders import EXPLICIT

COPIES, SENDERS = 100, 8
CORRECTED = [mammogram(PatientID="P-2"), mammogram(PatientName="Other^One", StudyInstanceUID=uid("other study"))]
OTHER_PIXELS = [mammogram(PixelData=bytes([n, 0] * 4)) for n in (7, 8, 9)]
CONTEXTS = [(MAMMOGRAM, [EXPLICIT]), (MAMMOGRAM, [IMPLICIT]), (MAMMOGRAM, [DEFLATED])]

Item = tuple[int, str, Dataset]


def _items() -> list[Item]:
    """Return 99 copies, some of them encoded otherwise, and corrected ones twice each, in a fixed disorder."""
    same = [(1, EXPLICIT, mammogram())] * (COPIES - 11) + [(3, IMPLICIT, mammogram()), (5, DEFLATED, mammogram())] * 5
    items = same + [(1, EXPLICIT, ds) for ds in (*CORRECTED, *OTHER_PIXELS)] * 2
    random.Random(7).shuffle(items)
    return items


def _send(running: Running, items: list[Item]) -> list[int]:
    with open_association(running, contexts=CONTEXTS) as association:
        return [association.store(at, MAMMOGRAM, uid("1"), encode(ds, syntax)) for at, syntax, ds in items]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A receiver."""
    with ExitStack() as stack:
        folder = tmp_path / "spool"
        writer = SpoolWriter(
            folder,
            limit_bytes=1 << 28,
            refuse_below_free_bytes=0,
            segment_bytes=1 << 20,
            now=lambda: datetime.now(UTC),
        )
        stack.callback(writer.close)
        receiver = Receiver(replace(SETTINGS, max_associations=SENDERS + 2), writer)
        receiver.start()
        stack.callback(receiver.stop, 5)
        yield Running(receiver, writer, folder)


def test_a_hundred_times_at_once_and_corrected(running: Running, migrated_sqlite: Path, tmp_path: Path) -> None:
    """Each is stored and acknowledged; there is one row, every arrival has its end, and no correction is lost."""
    first, items = (1, EXPLICIT, mammogram()), _items()
    assert _send(running, [first]) == [SUCCESS]
    with ThreadPoolExecutor(SENDERS) as senders:
        parts = [items[n::SENDERS] for n in range(SENDERS)]
        statuses = [status for found in senders.map(partial(_send, running), parts) for status in found]
    assert statuses == [SUCCESS] * len(items)
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1 + SENDERS)
    came = Counter(record.payload for record in running.records(RecordKind.INSTANCE))
    assert came == Counter(encode(ds, syntax) for _, syntax, ds in [first, *items])
    _index(running, migrated_sqlite, tmp_path, 1 + len(items))


def _index(running: Running, migrated: Path, tmp_path: Path, count: int) -> None:
    state = tmp_path / "state.db"
    state.write_bytes(migrated.read_bytes())
    with closing(SqlStore(f"sqlite:///{state}")) as store:
        indexer = Indexer(
            SpoolReader(running.folder),
            store,
            [QuestionScope("aln", frozenset({"MG"}))],
            IndexSettings(timedelta(minutes=1), timedelta(days=120)),
            reading=Reading(partial(read_header, site_issuer=None), to_part10, same_pixels),
            quarantine=Quarantine(tmp_path / "quarantine", 1 << 30),
            on_event_report=lambda unit, record: None,
            now=lambda: datetime.now(UTC),
            new_case_uuid=uuid4,
        )
        while indexer.tick():
            pass
        with store.unit() as unit:
            known, variants = unit.find_instance(uid("1")), unit.variants(uid("1"))
            case = unit.newest_case("aln", PatientKey("PHANTOM", "P-1"))
    assert known is not None
    assert case is not None
    assert case.state is CaseState.HELD  # a person decides about the corrected ones
    assert known.instance.sha256 == sha256(encode(mammogram())).hexdigest()
    wanted = {sha256(encode(ds)).hexdigest() for ds in (*CORRECTED, *OTHER_PIXELS)}
    assert {one.instance.sha256 for one in variants} == wanted
    _check_rows(state, count)


def _check_rows(state: Path, count: int) -> None:
    engine = sa.create_engine(f"sqlite:///{state}")
    with closing(engine.connect()) as db:
        ends = Counter(db.execute(sa.select(arrival.c.ending)).scalars())
        rows = db.execute(sa.select(sa.func.count()).select_from(instance)).scalar_one()
    engine.dispose()
    assert rows == 1
    assert sum(ends.values()) == count
    corrected = len(CORRECTED) + len(OTHER_PIXELS)  # each comes twice: then it is a duplicate, too
    assert ends == {
        End.COLLECTED: 1,
        End.DUPLICATE: COPIES - 1 + corrected,
        End.CORRECTION: len(CORRECTED),
        End.QUARANTINED: len(OTHER_PIXELS),
    }
