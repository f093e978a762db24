"""What `sentinode doctor` asks: clinical database, bundles and spool, whether or not the agent is running."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.bootstrap.common import secret, utc_now
from agent.bootstrap.inspect import open_kept, open_store
from agent.config import Config
from agent.config.schema import Model
from agent.core.clinical import ClinicalFacts
from agent.core.errors import Permanent, Transient
from agent.core.instance import SpoolRef
from agent.core.patient import PatientKey
from agent.core.retention import OwedCopy
from agent.ehr import EhrSource
from agent.infer.bundle import read_bundle
from agent.operate.doctor import Bundle, EhrExamination, examine
from agent.operate.spool_doctor import MOST_LISTED, OwedLine, SpoolExamination
from agent.record.held import count_held
from agent.spool import SpoolFailed, SpoolReader, free_bytes, max_object_bytes_of


def examine_ehr(config: Config, patient_id: str, issuer: str | None) -> EhrExamination:
    """Ask the clinical database about a patient, as a case would be asked about now.

    Raises
    ------
    Transient
        If the database cannot be asked.
    Permanent
        If no issuer is known, or the query is wrong.
    """
    issuer = issuer or config.site.issuer_of_patient_id
    if not issuer:
        raise Permanent("the configuration names no site.issuer_of_patient_id: say --issuer ISSUER")
    patient, now = PatientKey(issuer, patient_id), utc_now()
    ehr = config.ehr
    try:
        source = EhrSource(ehr.url, ehr.query, ehr.timeout_s, secret(ehr.password_env))
        facts: ClinicalFacts | None = source.facts(patient, now)
    except Transient as exc:
        message = f"{exc} within {ehr.timeout_s:g} s: see that it runs, and that ehr.url, its account and password fit"
        raise Transient(message) from None
    except Permanent as exc:
        raise Permanent(f"{exc}; correct it, then `sentinode check-config` tries it") from None
    bundles = [_bundle(model) for model in config.models]
    today = now.astimezone(ZoneInfo(config.site.time_zone)).date()
    episode = timedelta(days=config.cases.episode_days)
    return examine(facts, patient, bundles, as_of=now, today=today, episode=episode)


def _bundle(model: Model) -> Bundle:
    try:
        manifest = read_bundle(model.bundle).manifest
    except Permanent as exc:
        return Bundle(model.bundle.name, None, problem=f"cannot be read: {exc}")
    return Bundle(model.bundle.name, manifest, frozenset(model.demo_issuers), model.send_research)


def examine_spool(config: Config) -> SpoolExamination:
    """Look at the spool's segments, its disk and the quarantine, and how far it is read as far as the database can say.

    Raises
    ------
    Transient
        If the disk refuses.
    Permanent
        If a later release wrote the spool.
    """
    folder, configured = config.storage.spool, int(config.storage.spool_bytes)
    cursor, owed, unasked = _read_so_far(config)
    quarantined, quarantined_bytes = count_held(config.storage.quarantine)
    spool = open_kept(config)
    segments = spool.segments()
    reusable = [one for one in segments if one.is_released]
    return SpoolExamination(
        free_bytes=_free_bytes(folder),
        watermark_bytes=int(config.storage.refuse_below_free_bytes),
        configured_bytes=configured,
        limit_bytes=spool.limit_bytes,
        used_bytes=sum(one.size for one in segments),
        reusable_bytes=sum(one.size for one in reusable),
        max_object_bytes=max_object_bytes_of(configured),
        segments=len(segments),
        segments_open=sum(not one.is_closed for one in segments),
        segments_reusable=len(reusable),
        segments_of_copies=sum(one.number < 0 for one in segments),
        quarantined=quarantined,
        quarantined_bytes=quarantined_bytes,
        quarantine_limit_bytes=int(config.storage.quarantine_bytes),
        owed=None if owed is None else len(owed),
        owed_lines=tuple(
            OwedLine(one.ref.id, one.since, one.is_unread, one.reason) for one in (owed or ())[:MOST_LISTED]
        ),
        oldest_unindexed=None if unasked else SpoolReader(folder).oldest_after(cursor),
        unasked=unasked,
    )


def _read_so_far(config: Config) -> tuple[Mapping[int, SpoolRef], Sequence[OwedCopy] | None, str]:
    """Ask the database how far the spool is read, and what is still to be copied out; else why it cannot be asked."""
    try:
        with closing(open_store(config)) as store, store.unit() as unit:
            return unit.cursor(), unit.owed_copies(), ""
    except (Transient, Permanent) as exc:
        return {}, None, "; ".join(str(exc).splitlines())


def _free_bytes(folder: Path) -> int:
    """Ask the disk; of a spool that is not there yet, that where it will be."""
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
    try:
        return free_bytes(there)
    except OSError as exc:
        raise SpoolFailed(f"the spool's disk cannot be asked: {exc.strerror}") from exc
