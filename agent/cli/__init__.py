"""The command line: what an admin does with the agent."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from agent.cli import ruling
from agent.cli.options import DEFAULT, AsJson, ConfigFile, Overrides, load
from agent.core.errors import SentinodeError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Estimates axillary lymph-node metastasis beside a PACS. "
    "Research software. Not cleared or CE-marked. Not for clinical use.",
)


def main() -> None:
    """Run the command line; errors raised on purpose become one message and exit code 2."""
    os.umask(0o027)  # what the agent writes holds patients: not for everyone on this machine
    try:
        app()
    except SentinodeError as exc:
        Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(str(exc))
        sys.exit(2)


@app.command()
def serve(config: ConfigFile = DEFAULT, overrides: Overrides = None) -> None:
    """Run the agent until SIGTERM or Ctrl-C, then let work under way end.

    Starts the DICOM listener, the keeper and the workers, and brings back whichever dies. Logs go to standard error.
    The configuration, the bundles and the database's schema are checked first.
    """
    from agent.bootstrap.common import Stop, utc_now

    stop = Stop()
    stop.listen()
    loaded = load(config, overrides)
    from agent.bootstrap import checks, roles  # only now: a mistake in the file is told at once
    from agent.serve import serve as run

    roles.preload()
    checks.refuse_to_start(loaded, stop)
    raise typer.Exit(run(loaded.config, roles.roles(loaded.config.operate.workers, utc_now()), stop))


@app.command("check-config")
def check_config(config: ConfigFile = DEFAULT, overrides: Overrides = None) -> None:
    """Check the configuration and what it names: bundles, EHR and its query, database, folders.

    Prints one line for each mistake, beginning with its place in the file, and exits with 2. Sends nothing.
    """
    from agent.bootstrap import checks

    loaded = load(config, overrides)
    problems = checks.find_problems(loaded)
    for line in problems:
        typer.echo(line, err=True)
    if problems:
        raise typer.Exit(2)
    typer.echo(f"{config}: no mistakes found")


@app.command()
def migrate(config: ConfigFile = DEFAULT, overrides: Overrides = None) -> None:
    """Bring the database to this version's schema. Running it again changes nothing."""
    from agent.bootstrap.common import secret
    from agent.state.migration import migrate as run

    database = load(config, overrides).config.database
    typer.echo(f"schema {run(database.url, secret(database.password_env))}")


@app.command()
def status(config: ConfigFile = DEFAULT, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Show what the agent holds: cases by state, received objects by their end, what is on its way out."""
    from agent.bootstrap.inspect import overview, spool_status
    from agent.operate.spool_status import spool_table
    from agent.operate.status import overview_tables, to_json

    loaded = load(config, overrides).config
    seen, spool = overview(loaded), spool_status(loaded)
    if as_json:
        typer.echo(json.dumps({**to_json(seen), "spool": to_json(spool)}, indent=2))
    else:
        Console().print(*overview_tables(seen), spool_table(spool))


cases_app = typer.Typer(invoke_without_command=True, help="List cases; `show` tells one case's whole story.")
app.add_typer(cases_app, name="cases")


@cases_app.callback()
def cases(
    context: typer.Context,
    config: ConfigFile = DEFAULT,
    overrides: Overrides = None,
    *,
    state: Annotated[str | None, typer.Option(help="Only cases in this state.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many, the newest first; of held ones the oldest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List cases, the newest first: number, version, state, since when, and the reason or the answer.

    With `--state held` those come first that are held the longest.

    `sentinode cases show CASE` tells one case's whole story.
    """
    if context.invoked_subcommand:
        context.obj = (config, overrides)
        return
    from agent.bootstrap.inspect import count_cases, list_cases
    from agent.operate.status import cases_table, to_json

    loaded = load(config, overrides).config
    lines = list_cases(loaded, state, limit)
    if as_json:
        typer.echo(json.dumps(to_json(lines), indent=2))
    else:
        Console().print(cases_table(lines))
    if len(lines) == limit and (more := count_cases(loaded, state) - limit) > 0:
        typer.echo(f"{more} more: raise --limit", err=True)


@cases_app.command("show")
def show(
    context: typer.Context,
    case: Annotated[int, typer.Argument(help="The case's number, as `sentinode cases` lists it.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The configuration file.")] = None,
    overrides: Overrides = None,
    *,
    lineage: Annotated[bool, typer.Option("--lineage", help="Tell where the answer came from instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell one case's story: its events, every instance with its use and reason, the answer, every delivery.

    With `--lineage`: why it said that. The answer, the images and facts it rests on, the model, the configuration and
    the code, what was left out and why, and what is not as it was for the version before. No value of a fact is shown.
    """
    from agent.bootstrap.inspect import case_origins, case_story
    from agent.operate.lineage_tables import lineage_json, lineage_parts
    from agent.operate.status import story_tables, to_json

    outer_config, outer_overrides = context.obj
    loaded = load(config or outer_config, overrides or outer_overrides).config
    if lineage:
        origins = case_origins(loaded, case)
        if as_json:
            typer.echo(json.dumps(lineage_json(origins), indent=2))
        else:
            Console().print(*lineage_parts(origins), sep="\n\n")
        return
    story = case_story(loaded, case)
    if as_json:
        typer.echo(json.dumps(to_json(story), indent=2))
    else:
        Console().print(*story_tables(story))


doctor_app = typer.Typer(no_args_is_help=True)
app.add_typer(doctor_app, name="doctor")


@doctor_app.callback()
def doctor() -> None:
    """Look into what the agent depends on. Sends and changes nothing."""


@doctor_app.command("ehr")
def doctor_ehr(
    patient: Annotated[str, typer.Argument(help="Patient ID, as in the images (0010,0020).")],
    issuer: Annotated[str | None, typer.Option(help="Issuer of Patient ID; left out, the site's own.")] = None,
    config: ConfigFile = DEFAULT,
    overrides: Overrides = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Ask the clinical database about one patient: each fact, whether the question applies, what bundles would do.

    Shows clinical values, on this terminal alone. Exits with 1 where the patient is unknown, 2 on errors.
    """
    from agent.bootstrap.doctor import examine_ehr
    from agent.operate.doctor_tables import ehr_parts
    from agent.operate.status import to_json

    seen = examine_ehr(load(config, overrides).config, patient, issuer)
    if as_json:
        typer.echo(json.dumps(to_json(seen), indent=2))
    else:
        Console().print(*ehr_parts(seen), sep="\n\n")
    if not seen.known:
        raise typer.Exit(1)


@doctor_app.command("spool")
def doctor_spool(config: ConfigFile = DEFAULT, overrides: Overrides = None, *, as_json: AsJson = False) -> None:
    """Look at the spool: the disk, the limits, its segments, the quarantine, and what came and is not read yet.

    Exits with 1 where objects are refused for lack of room, 2 on errors, also if the database cannot be asked.
    """
    from agent.bootstrap.doctor import examine_spool
    from agent.operate.spool_doctor import spool_parts
    from agent.operate.status import to_json

    seen = examine_spool(load(config, overrides).config)
    if as_json:
        typer.echo(json.dumps(to_json(seen), indent=2))
    else:
        Console().print(*spool_parts(seen), sep="\n\n")
    if seen.unasked:
        raise typer.Exit(2)
    if seen.refuses:
        raise typer.Exit(1)


app.command()(ruling.resolve)
app.command()(ruling.release)
app.command("give-up")(ruling.give_up)


@app.command()
def export(
    case: Annotated[int, typer.Argument(help="The case's number, as `sentinode cases` lists it.")],
    folder: Annotated[Path, typer.Argument(help="Where the files go; made if it is not there.")],
    config: ConfigFile = DEFAULT,
    overrides: Overrides = None,
) -> None:
    """Write a case's result objects as DICOM files, exactly as they were or will be sent."""
    from agent.bootstrap.inspect import export_case

    for path in export_case(load(config, overrides).config, case, folder):
        typer.echo(path)


@app.command()
def resend(
    case: Annotated[int, typer.Argument(help="The case's number, as `sentinode cases` lists it.")],
    config: ConfigFile = DEFAULT,
    overrides: Overrides = None,
) -> None:
    """Send a finished or failed case's stored objects again, the same bytes under the same UIDs."""
    from agent.bootstrap.inspect import resend_case

    loaded = load(config, overrides).config
    count, unknown = resend_case(loaded, case)
    typer.echo(f"{count} objects are queued; they are sent while `sentinode serve` runs")
    if unknown:
        known = ", ".join(sorted(one.name for one in loaded.destinations))
        typer.echo(f"nothing is sent to {', '.join(unknown)}: the configuration names {known}", err=True)


@app.command()
def rerun(
    case: Annotated[int, typer.Argument(help="The case's number, as `sentinode cases` lists it.")],
    config: ConfigFile = DEFAULT,
    overrides: Overrides = None,
    *,
    dry: Annotated[bool, typer.Option("--dry", help="Work it out here and compare; save and send nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --dry: print the comparison as JSON.")] = False,
) -> None:
    """Answer a failed case again, of which nothing was sent; or, with --dry, see whether it says the same again.

    With --dry any version that was answered is worked out again in this process, from the images, findings and facts
    that were saved with it and with the bundle that is configured now. Exits with 0 if every number and object is the
    same, with 1 if not, saying what differs and what is not as it was; with 2 if something that it rests on is gone.
    """
    from agent.bootstrap.rerunning import rerun_case, rerun_dry
    from agent.operate.comparison import sentences
    from agent.operate.status import to_json

    loaded = load(config, overrides).config
    if not dry:
        after = rerun_case(loaded, case)
        typer.echo(f"case {after.id} is {after.state}; it is answered while `sentinode serve` runs")
        return
    compared = rerun_dry(loaded, case, lambda words: typer.echo(words, err=True))
    typer.echo(json.dumps(to_json(compared), indent=2) if as_json else "\n".join(sentences(compared)))
    if not compared.same:
        raise typer.Exit(1)
