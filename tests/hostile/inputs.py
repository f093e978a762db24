"""The corpus of hostile inputs, as it lies here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.senders import EXPLICIT, IMPLICIT

FOLDER: Final = Path(__file__).parent
SYNTAXES: Final = {"explicit": EXPLICIT, "implicit": IMPLICIT, "deflated": "1.2.840.10008.1.2.1.99"}


@dataclass(frozen=True)
class Hostile:
    """One input: a dataset's bytes, what comes over a fresh connection, or over an established association."""

    kind: str  # "dataset", "connection", "association"
    name: str  # of a dataset it ends in the key of its transfer syntax
    data: bytes
    broke: str = ""

    @property
    def path(self) -> Path:
        """Where it lies."""
        return FOLDER / self.kind / f"{self.name}.bin"

    @property
    def transfer_syntax_uid(self) -> str:
        """Of a dataset."""
        return SYNTAXES[self.name.rpartition(".")[2]]


def committed() -> list[Hostile]:
    """Read every input; what it broke stands in README.md."""
    return [Hostile(path.parent.name, path.stem, path.read_bytes()) for path in sorted(FOLDER.glob("*/*.bin"))]
