"""What the command line asks of a database, whether or not the agent is running."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from agent.assemble.relevance import NOT_RELEVANT
from agent.bootstrap.common import secret, utc_now
from agent.bootstrap.role_table import build_role_table
from agent.config import Config
from agent.core.case import CaseState
from agent.core.errors import Permanent
from agent.core.instance import End, Instance
from agent.core.roles import RoleTable, rule_in
from agent.deliver.resend import resend
from agent.operate.spool_status import SpoolStatus
from agent.spool import KeptSpool, Watermark
from agent.state import SqlStore, stories
from agent.state import overview as counts
from agent.state.residents import count_owed

_Seen = TypeVar("_Seen")


def open_store(config: Config) -> SqlStore:
    """Open the agent's state. Raises Permanent, Transient."""
    return SqlStore(config.database.url, secret(config.database.password_env))


def open_kept(config: Config) -> KeptSpool:
    """Open the spool for whoever decides what is kept."""
    storage = config.storage
    return KeptSpool(
        storage.spool,
        limit_bytes=int(storage.spool_bytes),
        now=utc_now,
        watermark=Watermark(int(storage.refuse_below_free_bytes)),
    )


def overview(config: Config) -> counts.Overview:
    """Count everything."""
    return _look(config, counts.overview)


def spool_status(config: Config) -> SpoolStatus:
    """Say how full the spool is, and since when a case has needed its images. Raises Transient if the disk refuses."""
    spool = open_kept(config)
    segments = spool.segments()
    return SpoolStatus(
        limit_bytes=spool.limit_bytes,
        used_bytes=sum(one.size for one in segments),
        reusable_bytes=sum(one.size for one in segments if one.is_released),
        copied_bytes=sum(one.size for one in segments if one.number < 0),
        pinned_since=_look(config, counts.pinned_since),
        owed=_look(config, count_owed),
    )


def list_cases(config: Config, state: str | None, limit: int) -> Sequence[stories.CaseLine]:
    """List cases, the newest first, held ones the longest held first. Raises Permanent for an unknown state."""
    return _look(config, lambda db: stories.list_cases(db, _state(state), limit))


def count_cases(config: Config, state: str | None) -> int:
    """Count cases. Raises Permanent for an unknown state."""
    return _look(config, lambda db: stories.count_cases(db, _state(state)))


def _state(name: str | None) -> CaseState | None:
    known = [s.value for s in CaseState]
    if name is not None and name not in known:
        raise Permanent(f"there is no state {name!r}; states are {', '.join(known)}")
    return CaseState(name) if name else None


def case_story(config: Config, case_id: int) -> stories.Story:
    """Tell everything about one case, and which rule took or refused each object. Raises Permanent if there is none."""
    story = _look(config, lambda db: stories.case_story(db, case_id))
    if story is None:
        raise Permanent(f"there is no case {case_id}")
    table = build_role_table(config)
    with closing(open_store(config)) as store, store.unit() as unit:
        stored = {one.instance.sop_instance_uid: one.instance for one in unit.instances(case_id)}
        for row in story.others:
            known = unit.find_instance(row["sop_instance_uid"]) if row["ending"] is End.COLLECTED else None
            stored |= {known.instance.sop_instance_uid: known.instance} if known else {}
    return replace(
        story,
        instances=[{**row, **_role(table, stored[row["sop_instance_uid"]])} for row in story.instances],
        others=[{**row, **_said(table, stored.get(row["sop_instance_uid"]), row["reason"])} for row in story.others],
    )


def case_origins(config: Config, case_id: int) -> stories.Origins:
    """Tell where one case's answer came from. Raises Permanent if there is no such case, or no lineage of it."""
    origins = _look(config, lambda db: stories.case_origins(db, case_id))
    if origins is None:
        raise Permanent(f"there is no case {case_id}")
    if not origins.lineage:
        why = f": {origins.case.reason}" if origins.case.reason else ""
        raise Permanent(f"case {case_id} is {origins.case.state} and has no answer with its lineage{why}")
    return origins


def _role(table: RoleTable, instance: Instance) -> dict[str, str]:
    """Return an instance's role, the rule and its words."""
    verdict = table.verdict(instance)
    return {"role": verdict.role, "rule": verdict.rule, "role_reason": verdict.reason}


def _said(table: RoleTable, instance: Instance | None, reason: str) -> dict[str, str]:
    """Return the same of an object that another case holds, else what was said when it was refused."""
    if instance is not None:
        return _role(table, instance)
    rule, words = rule_in(reason)
    return {"role": "", "rule": rule, "role_reason": words.removeprefix(f"{NOT_RELEVANT}: ")}


def export_case(config: Config, case_id: int, folder: Path) -> list[Path]:
    """Write the stored objects of a case as files; return their paths. Raises Permanent."""
    case_story(config, case_id)
    with closing(open_store(config)) as store, store.unit() as unit:
        objects = unit.result_objects(case_id)
    if not objects:
        raise Permanent(f"case {case_id} has no result objects")
    paths = [folder / f"{o.role.replace(':', '-').strip('-')}.dcm" for o in objects]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, made in zip(paths, objects, strict=True):
            path.write_bytes(made.encoded)
    except OSError as exc:
        raise Permanent(f"{folder} cannot be written: {exc.strerror}") from exc
    return paths


def resend_case(config: Config, case_id: int) -> tuple[int, list[str]]:
    """Queue the stored objects of a case again.

    Returns how many are sent, those in reserve apart, and the destinations that are not configured: theirs wait.

    Raises
    ------
    Permanent
        If it is not to be sent again, or to nobody who is configured.
    """
    configured = {one.name for one in config.destinations}
    with closing(open_store(config)) as store:
        resend(store, case_id, utc_now(), configured)
        with store.unit() as unit:
            items = [item for item in unit.outbox_of(case_id) if not item.instead_of]
    count = sum(item.destination in configured for item in items)
    return count, sorted({item.destination for item in items} - configured)


def _look(config: Config, view: Callable[[Any], _Seen]) -> _Seen:
    with closing(open_store(config)) as store, store.reading() as connection:
        return view(connection)
