"""The demo's hospital database: an SQLite file with the schema that sql/ehr/clinical_facts.sql reads."""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

SCHEMA = Path(__file__).resolve().parent.parent / "sql" / "ehr" / "demo_schema.sql"


def create(path: Path) -> None:
    """Make the file and its table, empty. Harmless if they are there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as db:
        db.executescript(SCHEMA.read_text(encoding="utf-8"))
    db.close()


def load(path: Path, rows: Iterable[Mapping[str, object]], table: str = "clinical_facts") -> None:
    """Insert rows, one a patient; keys are column names of FACTS (docs/clinical-facts.md)."""
    with sqlite3.connect(path) as db:
        for row in rows:
            columns = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join("?" for _ in row)
            db.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({marks})', list(row.values()))  # noqa: S608 names are ours
    db.close()
