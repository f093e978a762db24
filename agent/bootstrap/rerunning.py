"""What `sentinode rerun` needs: a version answered again, or worked out again without saving or sending anything."""

from collections.abc import Callable
from contextlib import closing

from agent.bootstrap.common import utc_now
from agent.bootstrap.inspect import open_store
from agent.bootstrap.worker import build_answerer
from agent.config import Config
from agent.core.case import Case
from agent.dicom.decoding import Decoder
from agent.infer.recompute import read_kept, recompute
from agent.infer.rerun import rerun
from agent.operate.comparison import Comparison, compare


def rerun_case(config: Config, case_id: int) -> Case:
    """Let a failed version be answered again, while the agent runs or once it does. Raises Permanent."""
    with closing(open_store(config)) as store:
        return rerun(store, case_id, utc_now())


def rerun_dry(config: Config, case_id: int, say: Callable[[str], None]) -> Comparison:
    """Work a version out again in this process and compare; the database is only read, and not while computing.

    Parameters
    ----------
    say
        Is told what is being done: loading bundles and reading images may take a while.

    Raises
    ------
    InputsGone
        If not everything is there as it was.
    Permanent, Transient
        If there is no such case or answer, no bundle that may answer, or the engine fails.
    """
    with Decoder() as decoder:
        with closing(open_store(config)) as store:
            with store.looking() as unit:
                kept = read_kept(unit, case_id)
            say("loading the bundles")
            worker = build_answerer(config, store, "rerun", decoder)
        say(f"computing from {len(kept.stored)} images")
        now = recompute(kept, worker)
    return compare(case_id, kept.case.version, (kept.summary, kept.lineage), (now.summary, now.lineage))
