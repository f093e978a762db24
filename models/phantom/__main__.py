"""`python -m models.phantom sheet OUT.png`: look at synthetic patients."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from models.phantom.sheet import contact_sheet


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="python -m models.phantom", description=__doc__)
    sheet = parser.add_subparsers(required=True).add_parser("sheet", help="draw a contact sheet of some patients")
    sheet.add_argument("out", type=Path, help="the PNG to write")
    sheet.add_argument("--seed", type=int, default=1)
    sheet.add_argument("--patients", type=int, default=6)
    said = parser.parse_args(arguments)
    contact_sheet(said.seed, said.patients).save(said.out)


if __name__ == "__main__":
    main()
