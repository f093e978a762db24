"""The demo's clinical database, made for a test on SQLite or PostgreSQL."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier, Placeholder

from tests.peers import ROOT
from tests.postgres import PostgresServer

QUERY = ROOT / "sql" / "ehr" / "clinical_facts.sql"
SCHEMA = ROOT / "sql" / "ehr" / "demo_schema.sql"


def sqlite_hospital(path: Path, *rows: Mapping[str, object]) -> str:
    """Make or extend an SQLite database and return its URL."""
    db = sqlite3.connect(path)
    with db:
        db.executescript(SCHEMA.read_text(encoding="utf-8"))
        for row in rows:
            columns, marks = ", ".join(row), ", ".join("?" * len(row))
            db.execute(f"INSERT INTO clinical_facts ({columns}) VALUES ({marks})", list(row.values()))  # noqa: S608
    db.close()
    return f"sqlite:///{path}"


def postgres_hospital(server: PostgresServer, *rows: Mapping[str, object]) -> str:
    """Make a PostgreSQL database and return its URL."""
    url = server.new_database()
    with psycopg.connect(url.replace("+psycopg", "")) as db:
        db.execute(SCHEMA.read_bytes())
        for row in rows:
            names = SQL(", ").join(map(Identifier, row))
            marks = SQL(", ").join([Placeholder()] * len(row))
            insert = SQL("INSERT INTO clinical_facts ({}) VALUES ({})").format(names, marks)
            db.execute(insert, list(row.values()))
    return url
