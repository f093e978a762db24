"""A worker process: decodes, prepares, infers and reports, one case at a time, on warm models."""

import faulthandler
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from multiprocessing import current_process
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from agent import __version__
from agent.bootstrap.common import Stop, utc_now
from agent.bootstrap.inspect import open_store
from agent.bootstrap.origin import build_origin
from agent.bootstrap.role_table import build_role_table
from agent.config import Config
from agent.core.ports import StoredInstance
from agent.core.result import Kind, Result, ResultObject, SourceImage
from agent.dicom.decoding import Decoder
from agent.dicom.enhanced import mr_slices
from agent.dicom.geometry import ultrasound_scale
from agent.dicom.part10 import to_part10
from agent.dicom.pixels import header
from agent.dicom.uids import device_uid
from agent.infer.admission import ActiveBundle
from agent.infer.answer import Answerer, AnswerSettings
from agent.infer.engine import Engine
from agent.infer.reader import ImageReader
from agent.record.quarantine import Quarantine
from agent.report.compose import Composer, Language, Note
from agent.report.draft import DeviceIdentity
from agent.spool import MOST_IN_MEMORY, SpoolReader
from agent.state import SqlStore

IDLE_S: Final = 0.2
LEASE: Final = timedelta(minutes=5)

_STDERR: Final = 2

Compose = Callable[[Result, Sequence[SourceImage], Note], Sequence[ResultObject]]


class HangWatchdog:
    """Ends this process by the interpreter's own watchdog: a thread of C, which needs no turn at running Python.

    It first writes to standard error where every thread stands: files, lines and functions, no values.
    """

    def arm(self, seconds: float) -> None:
        """End the process so many seconds from now."""
        faulthandler.dump_traceback_later(seconds, exit=True, file=_STDERR)

    def disarm(self) -> None:
        """Let it live."""
        faulthandler.cancel_dump_traceback_later()


def run_worker(config: Config, stop: Stop, *, agent_started: datetime | None = None) -> None:
    """Answer cases until asked to stop; the case under way is finished first.

    `agent_started` is when the whole process tree was: what a worker held before then, it did not die on.
    """
    with Decoder() as decoder, closing(open_store(config)) as store:
        answerer = build_answerer(config, store, current_process().name, decoder, agent_started)
        answerer.release_own()
        structlog.get_logger().info("working")
        while not stop.requested:
            if not answerer.step():
                stop.wait(IDLE_S)


def build_answerer(
    config: Config, store: SqlStore, worker: str, decoder: Decoder, agent_started: datetime | None = None
) -> Answerer:
    """Join spool, bundles, report and state."""
    keep = Quarantine(config.storage.quarantine, int(config.storage.quarantine_bytes)).keep

    def quarantine(stored: StoredInstance, part10: bytes, reason: str) -> None:
        instance = stored.instance
        keep(
            [part10],
            instance.sha256,
            reason,
            size=len(part10),
            received_at=stored.received_at,
            sop_class_uid=instance.sop_class_uid,
        )

    return Answerer(
        store=store,
        engines=[
            ActiveBundle(Engine.load(m.bundle, m.device), frozenset(m.demo_issuers), m.send_research)
            for m in config.models
        ],
        reader=ImageReader(
            spool=SpoolReader(config.storage.spool, MOST_IN_MEMORY),
            to_part10=to_part10,
            decode=decoder.decode,
            header=header,
            ultrasound_scale=ultrasound_scale,
            mr_slices=mr_slices,
            open_frames=decoder.open_frames,
        ),
        compose=build_composer(config, store),
        quarantine=quarantine,
        destinations=kinds_by_destination(config),
        settings=AnswerSettings(
            worker=worker,
            agent_started=agent_started,
            lease_s=LEASE.total_seconds(),
            site_prevalence=config.site.prevalence,
            wait_for_report=config.cases.release == "after_radiologist_report",
        ),
        watchdog=HangWatchdog(),
        now=utc_now,
        origin=build_origin(config),
        roles=build_role_table(config),
    )


def kinds_by_destination(config: Config) -> dict[str, frozenset[Kind]]:
    """Return which kinds of objects each destination gets."""
    rejecting = {d.name: {Kind.REJECTION} if d.reject_superseded else set() for d in config.destinations}
    return {d.name: frozenset({Kind(kind) for kind in d.send} | rejecting[d.name]) for d in config.destinations}


def build_composer(config: Config, store: SqlStore) -> Compose:
    """Return what turns a result into objects.

    Where the site wants no report without a number, or no images are left, that is at most what rejects an earlier
    version.
    """
    with store.looking() as unit:
        installation = unit.installation()
    composer = Composer(
        DeviceIdentity(
            uid=device_uid(installation),
            name=config.dicom.ae_title,
            manufacturer="Sentinode",
            model="Sentinode",
            serial=installation.hex[:16],
            software_version=__version__,
        ),
        zone=ZoneInfo(config.site.time_zone),
        kinds=frozenset().union(*kinds_by_destination(config).values()),
        language=Language(config.site.language),
    )

    def compose(result: Result, sources: Sequence[SourceImage], note: Note) -> Sequence[ResultObject]:
        if result.withdrawn or not (result.estimates or config.cases.report_no_estimate):
            return composer.rejecting(result, sources)
        return composer(result, sources, note)

    return compose
