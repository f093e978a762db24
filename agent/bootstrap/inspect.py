"""What the command line asks of a database, whether or not the agent is running."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from agent.bootstrap.common import secret, utc_now
from agent.config import Config
from agent.core.case import CaseState
from agent.core.errors import Permanent
from agent.deliver.resend import resend
from agent.state import SqlStore
from agent.state import overview as views

_Seen = TypeVar("_Seen")


def open_store(config: Config) -> SqlStore:
    """Open the agent's state. Raises Permanent, Transient."""
    return SqlStore(config.database.url, secret(config.database.password_env))


def overview(config: Config) -> views.Overview:
    """Count everything."""
    return _look(config, views.overview)


def list_cases(config: Config, state: str | None, limit: int) -> Sequence[views.CaseLine]:
    """List cases, the newest first. Raises Permanent for a state that does not exist."""
    known = [s.value for s in CaseState]
    if state is not None and state not in known:
        raise Permanent(f"there is no state {state!r}; states are {', '.join(known)}")
    return _look(config, lambda db: views.list_cases(db, CaseState(state) if state else None, limit))


def case_story(config: Config, case_id: int) -> views.Story:
    """Tell everything about one case. Raises Permanent if there is none."""
    story = _look(config, lambda db: views.case_story(db, case_id))
    if story is None:
        raise Permanent(f"there is no case {case_id}")
    return story


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


def resend_case(config: Config, case_id: int) -> int:
    """Queue the stored objects of a case again; return how many there are. Raises Permanent."""
    with closing(open_store(config)) as store:
        resend(store, case_id, utc_now())
        with store.unit() as unit:
            return len(unit.outbox_of(case_id))


def _look(config: Config, view: Callable[[Any], _Seen]) -> _Seen:
    with closing(open_store(config)) as store, store.reading() as connection:
        return view(connection)
