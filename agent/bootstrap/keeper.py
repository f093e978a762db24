"""The keeper process: reads the spool, builds cases, asks the EHR, sends results."""

import json
import os
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import structlog

from agent.assemble.complete import Assembler
from agent.assemble.index import Indexer, IndexSettings, Reading
from agent.assemble.judging import QuestionScope
from agent.assemble.owed import Owed
from agent.assemble.resolve import Resolver
from agent.assemble.retention import Retention
from agent.assemble.settings import AssembleSettings
from agent.bootstrap.common import Stop, patience_s, secret, utc_now
from agent.bootstrap.inspect import open_kept, open_store
from agent.bootstrap.pacs import asking, destination_tls, pacs_ticks, poll_interval
from agent.bootstrap.role_table import build_role_table
from agent.config import Config
from agent.config.network import Destination
from agent.core.assessed import Range
from agent.core.evidence import Patience
from agent.core.instance import Instance
from agent.core.manifest import BundleManifest, parse_manifest
from agent.core.ports import Record
from agent.core.roles import RoleTable
from agent.deliver.commitment import apply_event_report
from agent.deliver.courier import Courier
from agent.deliver.settings import DestinationSettings
from agent.deliver.unserved import Unserved
from agent.dicom.header import read_header
from agent.dicom.part10 import to_part10
from agent.dicom.reports import is_report
from agent.dicom.same_pixels import same_pixels
from agent.dimse.client import PacsClient
from agent.ehr.source import EhrSource
from agent.preprocess.tabular import AGE, BIRTH_DATE
from agent.record.quarantine import Quarantine
from agent.spool import MOST_IN_MEMORY, SpoolReader
from agent.state import SqlStore
from agent.tasks.embedded import Tick, Ticker

INDEX_EVERY_S = 0.25
ASSEMBLE_EVERY_S = 0.5
DELIVER_EVERY_S = 0.25
UNSERVED_EVERY_S = 60.0
RETAIN_EVERY_S = 1.0
OWED_EVERY_S = 60.0


def run_keeper(config: Config, stop: Stop) -> None:
    """Tick until asked to stop; ticks under way end first."""
    store = open_store(config)
    let_go_unless_awaited(config, store)
    couriers = build_courier(config, store).destinations
    unserved = build_unserved(config, store)
    unserved.report()
    spool = open_kept(config)
    retention = Retention(store, spool, episode=timedelta(days=config.cases.episode_days), now=utc_now)
    ticks = [
        Tick("index", build_indexer(config, store).tick, INDEX_EVERY_S),
        Tick("assemble", build_assembler(config, store).tick, ASSEMBLE_EVERY_S),
        *(Tick(f"deliver {name}", courier.tick, DELIVER_EVERY_S) for name, courier in couriers.items()),
        Tick("unserved", unserved.tick, UNSERVED_EVERY_S),
        Tick("retain", retention.tick, RETAIN_EVERY_S),
        Tick("owed", build_owed(config, store).tick, OWED_EVERY_S),
        *pacs_ticks(config, store, question_scopes(config)),
    ]
    ticker = Ticker(ticks, utc_now)
    ticker.start()
    structlog.get_logger().info("keeping")
    stop.wait_for_ever()
    if not ticker.stop(patience_s(config.operate.drain_s)):
        structlog.get_logger().warning("tick_abandoned")
        # an archive that does not answer holds its thread, and leaving waits for threads; the outbox knows the rest
        os._exit(0)
    spool.close()
    store.close()


def build_indexer(config: Config, store: SqlStore) -> Indexer:
    """Join spool, header reader, quarantine and state."""
    settings = IndexSettings(
        quiet=timedelta(seconds=config.cases.quiet_s),
        episode=timedelta(days=config.cases.episode_days),
        rejecting=tuple(d.name for d in config.destinations if d.reject_superseded),
    )

    def header(record: Record) -> Instance:
        return read_header(record, config.site.issuer_of_patient_id)

    return Indexer(
        SpoolReader(config.storage.spool, MOST_IN_MEMORY),
        store,
        question_scopes(config),
        settings,
        reading=Reading(header, to_part10, same_pixels, is_report),
        quarantine=_quarantine(config),
        on_event_report=apply_event_report,
        now=utc_now,
        new_case_uuid=uuid4,
    )


def build_owed(config: Config, store: SqlStore) -> Owed:
    """Join spool, state and quarantine. It has an indexer of its own: it ticks beside the other."""
    reader = SpoolReader(config.storage.spool, MOST_IN_MEMORY)
    return Owed(reader, store, to_part10, _quarantine(config), build_indexer(config, store).take_late)


def _quarantine(config: Config) -> Quarantine:
    return Quarantine(config.storage.quarantine, int(config.storage.quarantine_bytes))


def build_assembler(config: Config, store: SqlStore) -> Assembler:
    """Join the EHR and state."""
    cases, ehr, scopes = config.cases, config.ehr, question_scopes(config)
    patience = Patience(
        quiet=timedelta(seconds=cases.quiet_s),
        expected=tuple(m for m in cases.expect if any(m in scope.modalities for scope in scopes)),
        wait_for={str(modality): span for modality, span in cases.wait_for.items()},
        wait_for_facts=ehr.if_unavailable == "wait",
        views=cases.expect_views,
        counts_wait=cases.ask_pacs.counts_wait if cases.ask_pacs else None,
        poll=poll_interval(config),
    )
    settings = AssembleSettings(
        patience=patience,
        episode=timedelta(days=cases.episode_days),
        refresh=timedelta(seconds=ehr.refresh_s),
        zone=ZoneInfo(config.site.time_zone),
        scopes=scopes,
        asking=asking(config),
    )
    source = EhrSource(ehr.url, ehr.query, ehr.timeout_s, secret(ehr.password_env))
    return Assembler(store, source, settings, now=utc_now, random=random.random, new_case_uuid=uuid4)


def build_resolver(config: Config, store: SqlStore) -> Resolver:
    """Join what a person's decision needs: the same rules as indexing."""
    return Resolver(store, build_indexer(config, store).patients)


def let_go_unless_awaited(config: Config, store: SqlStore) -> None:
    """Let go what was held back for a report, where results do not wait any more."""
    if config.cases.release == "at_once":
        with store.unit() as unit:
            released = unit.let_all_go(utc_now())
        if released:
            structlog.get_logger().info("results_released", count=released)


def build_courier(config: Config, store: SqlStore) -> Courier:
    """Join the destinations and state."""
    ours = config.dicom.ae_title
    archives = {
        d.name: PacsClient(ours, d.ae_title, d.host, d.port, tls=destination_tls(d)) for d in config.destinations
    }
    settings = {d.name: _destination(d) for d in config.destinations}
    return Courier(store, archives, settings, now=utc_now, random=random.random)


def build_unserved(config: Config, store: SqlStore) -> Unserved:
    """Join the names of the destinations and state; what is for none of them waits as long as the most patient does."""
    patience = max((_destination(d).retry for d in config.destinations), key=lambda retry: retry.give_up_after_s)
    return Unserved(store, frozenset(d.name for d in config.destinations), patience, utc_now)


def question_scopes(config: Config) -> tuple[QuestionScope, ...]:
    """Return each question that an active bundle answers, with what its bundles read and whom all of them cover.

    Where `aln` is asked, its cases hold the images until surgery asks `nsln`.
    """
    by_question: dict[str, list[BundleManifest]] = {}
    for number, model in enumerate(config.models):
        manifest = read_manifest(config, number)
        if manifest.is_demonstration or model.send_research:
            by_question.setdefault(manifest.question, []).append(manifest)
    roles = build_role_table(config)
    scopes = {question: _scope(question, manifests, roles) for question, manifests in by_question.items()}
    if {"aln", "nsln"} <= scopes.keys():
        scopes["aln"] = replace(scopes["aln"], keeps=scopes["nsln"].modalities)
    return tuple(scopes.values())


def _scope(question: str, manifests: Sequence[BundleManifest], roles: RoleTable) -> QuestionScope:
    names = {spec.name for manifest in manifests for spec in manifest.facts}
    covers = frozenset[str].intersection(*(frozenset(manifest.covers) for manifest in manifests))
    return QuestionScope(
        question,
        frozenset(modality for manifest in manifests for modality in manifest.modalities),
        roles,
        facts=frozenset(BIRTH_DATE if name == AGE else name for name in names),
        limits=Range(covers=covers),
    )


def read_manifest(config: Config, number: int) -> BundleManifest:
    """Read one bundle's manifest. Raises Permanent."""
    path = config.models[number].bundle / "manifest.json"
    return parse_manifest(json.loads(path.read_text(encoding="utf-8")))


def _destination(destination: Destination) -> DestinationSettings:
    return DestinationSettings(
        confirm=destination.confirm,
        first_s=destination.retry.first_s,
        max_s=destination.retry.max_s,
        give_up_after_s=destination.retry.give_up_after.total_seconds(),
    )
