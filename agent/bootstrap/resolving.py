"""What `sentinode resolve` needs: a decision applied by the same rules as indexing, while the agent runs or not."""

import getpass
import os
from contextlib import closing

from agent.assemble.owed import give_up
from agent.assemble.readings import read_by_word
from agent.assemble.resolve import Request
from agent.bootstrap.common import utc_now
from agent.bootstrap.inspect import open_store
from agent.bootstrap.keeper import build_resolver
from agent.config import Config
from agent.core.case import Case
from agent.core.conflict import Ruling
from agent.core.errors import Permanent
from agent.core.instance import SpoolRef


def resolve_case(
    config: Config, case_id: int, ruling: Ruling, *, by: str | None, conflict: str, about: str, every: bool
) -> tuple[Case, list[str]]:
    """Apply a decision; return the case as it stands then, and what it is still held for. Raises Permanent."""
    with closing(open_store(config)) as store:
        request = Request(case_id, ruling, _who(by), conflict, about, every)
        case = build_resolver(config, store).resolve(request)
        with store.unit() as unit:
            left = [c.sentence for c in unit.conflicts(case.id) if unit.decision(c.id) is None]
        return case, left


def release_case(config: Config, case_id: int, by: str) -> Case:
    """Let a version go whose index study a person says was read; return it. Raises Permanent."""
    if config.cases.release != "after_radiologist_report":
        raise Permanent(f"results do not wait for a report here: cases.release is {config.cases.release}")
    with closing(open_store(config)) as store:
        return read_by_word(store, case_id, _who(by), utc_now())


def give_up_record(config: Config, record_id: str, by: str | None, why: str) -> None:
    """End what is owed of a record of the spool. Raises Permanent if nothing is."""
    try:
        ref = SpoolRef.of_id(record_id)
    except ValueError:
        raise Permanent(f"{record_id} is no record: `sentinode doctor spool` names them, as 12.1.8192") from None
    if not why.strip():
        raise Permanent("say why: --reason is kept with the object")
    with closing(open_store(config)) as store:
        give_up(store, ref, _who(by), why)


def _who(by: str | None) -> str:
    """Name who decided: whoever is named, and in any case the login, which nobody can choose freely."""
    return f"{by} (login {_user()})" if by else _user()


def _user() -> str:
    """Name whoever sits at this terminal; a container may have a user without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
