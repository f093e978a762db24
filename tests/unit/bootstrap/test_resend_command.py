"""`sentinode resend` where the configuration names other destinations than the case was for."""

from contextlib import closing
from pathlib import Path

from typer.testing import CliRunner

from agent.cli import app
from agent.core.errors import Permanent
from agent.state.migration import migrate
from agent.state.store import SqlStore
from tests.peers import ROOT
from tests.state_stores import T0, delivering, result_object, running


def site(folder: Path, *destinations: str) -> list[str]:
    """Return the options of an installation of its own, with destinations of these names."""
    entries = "".join(f"  - {{name: {name}, ae_title: PACS, host: 127.0.0.1, port: 4242}}\n" for name in destinations)
    over = folder / "over.yaml"
    over.write_text(f"database: {{url: 'sqlite:///{folder / 'state.db'}'}}\ndestinations:\n{entries}", encoding="utf-8")
    migrate(f"sqlite:///{folder / 'state.db'}")
    return ["--config", str(ROOT / "config.yaml"), "--overrides", str(over)]


def test_a_case_of_a_renamed_destination_is_refused(tmp_path: Path) -> None:
    """With the names that there are."""
    options = site(tmp_path, "archive", "reading")
    with closing(SqlStore(f"sqlite:///{tmp_path / 'state.db'}")) as store, store.unit() as unit:
        case = delivering(unit)
    done = CliRunner().invoke(app, ["resend", str(case.id), *options])
    assert isinstance(done.exception, Permanent)
    assert "it was for pacs, and the configuration names archive, reading" in str(done.exception)
    assert done.stdout == ""


def test_what_is_not_sent_is_said(tmp_path: Path) -> None:
    """One of two destinations has another name now: the count is the other's."""
    options = site(tmp_path, "pacs", "reading")
    with closing(SqlStore(f"sqlite:///{tmp_path / 'state.db'}")) as store, store.unit() as unit:
        both = [result_object("2.25.1")]
        case = unit.save_result(running(unit), T0, {}, {"pacs": both, "vna": both})
    done = CliRunner().invoke(app, ["resend", str(case.id), *options])
    assert done.stdout == "1 objects are queued; they are sent while `sentinode serve` runs\n"
    assert done.stderr == "nothing is sent to vna: the configuration names pacs, reading\n"
