"""What a person decides: about held cases, that a study was read, that an object is lost."""

from typing import Annotated

import typer

from agent.cli.options import DEFAULT, ConfigFile, Overrides, load


def resolve(
    case: Annotated[int, typer.Argument(help="The case's number, as `sentinode cases --state held` lists it.")],
    config: ConfigFile = DEFAULT,
    overrides: Overrides = None,
    *,
    merge: Annotated[bool, typer.Option("--merge", help="They are one patient.")] = False,
    split: Annotated[bool, typer.Option("--split", help="They are two: tell them apart.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Leave out what contradicts.")] = False,
    accept: Annotated[bool, typer.Option("--accept", help="The later object counts; or: go on all the same.")] = False,
    conflict: Annotated[str, typer.Option(help="Which conflict; not needed where there is only one.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Every conflict to which that applies.")] = False,
    about: Annotated[str, typer.Option(help="Which statement is meant; else the one that came last.")] = "",
    by: Annotated[str | None, typer.Option(help="Who decides; else the user of this terminal.")] = None,
) -> None:
    """Decide what a held case is held for. It is kept with who decided it and when, and holds for what comes later.

    `sentinode cases show CASE` spells out who says what, and what may be ruled.
    """
    from agent.bootstrap.resolving import resolve_case
    from agent.core.conflict import Ruling

    said = [ruling for ruling in Ruling if {"merge": merge, "split": split, "drop": drop, "accept": accept}[ruling]]
    if len(said) != 1:
        raise typer.BadParameter("say one of --merge, --split, --drop, --accept")
    if every and conflict:
        raise typer.BadParameter("say --conflict or --all")
    loaded = load(config, overrides)
    after, left = resolve_case(loaded.config, case, said[0], by=by, conflict=conflict, about=about, every=every)
    typer.echo(f"case {after.id} is {after.state}: {after.reason}")
    for sentence in left:
        typer.echo(f"still to be decided: {sentence}")


def release(
    case: Annotated[int, typer.Argument(help="The case's number, as `sentinode cases` lists it.")],
    by: Annotated[str, typer.Option(help="Who says so; the user of this terminal is kept besides.")],
    config: ConfigFile = DEFAULT,
    overrides: Overrides = None,
) -> None:
    """Say that a radiologist has read the study for whose report a result waits: it leaves.

    For a report that covers the study and does not name it. It is kept with who said it and when, and holds for every
    result of this patient that waits for the same study. Only with `cases.release: after_radiologist_report`.
    """
    from agent.bootstrap.resolving import release_case

    after = release_case(load(config, overrides).config, case, by)
    typer.echo(f"case {after.id} is {after.state} and waits no more; it leaves while `sentinode serve` runs")


def give_up(
    record: Annotated[str, typer.Argument(help="The record's id, as `sentinode doctor spool` lists it.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the object. Name no patient.")],
    config: ConfigFile = DEFAULT,
    overrides: Overrides = None,
    *,
    by: Annotated[str | None, typer.Option(help="Who decides; else the user of this terminal.")] = None,
) -> None:
    """Give up a received object that the disk of the spool will never give back, so that its segment may go.

    It stays quarantined, with the reason and who gave it up beside why it could not be read. There is no way back.
    """
    from agent.bootstrap.resolving import give_up_record

    give_up_record(load(config, overrides).config, record, by, reason)
    typer.echo(f"{record} is given up; its segment goes when nothing else in it is needed")
