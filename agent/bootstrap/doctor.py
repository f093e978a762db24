"""What `sentinode doctor` asks: the clinical database and the bundles, whether or not the agent is running."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from agent.bootstrap.common import secret, utc_now
from agent.config import Config
from agent.config.schema import Model
from agent.core.clinical import ClinicalFacts
from agent.core.errors import Permanent, Transient
from agent.core.patient import PatientKey
from agent.ehr import EhrSource
from agent.infer.bundle import read_bundle
from agent.operate.doctor import Bundle, EhrExamination, examine


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
