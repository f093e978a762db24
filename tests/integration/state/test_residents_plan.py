"""Looking into one segment costs what lies in it, not what was ever received."""

from typing import Any, Final

import sqlalchemy as sa

from agent.core.instance import SpoolRef
from agent.state import SqlStore
from tests.state_stores import T0, arrival, instance, opened

_INSTANCES: Final = 1000


def test_what_lies_in_a_segment_is_found_by_an_index(sql_store: SqlStore) -> None:
    """No statement reads a whole table; PostgreSQL chooses by what it knows of tables that hold something."""
    said: list[tuple[str, Any]] = []
    engine = sql_store._engine
    with sql_store.unit() as unit:
        case = opened(unit)
        for number in range(_INSTANCES):
            unit.add_instance(case, instance(f"1.2.{number}"), arrival(f"1.2.{number}", 8 * number), T0)
            unit.add_variant(instance(f"1.2.{number}"), arrival(f"1.2.{number}", 8 * number), other_pixels=False)

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if "segment" in statement and statement.startswith(("SELECT", "UPDATE")):
            said.append((statement, parameters[0] if many else parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    with sql_store.unit() as unit:
        unit.residents(7, 3)
        unit.forget_bytes([SpoolRef(7, 3, 8192)])
    sa.event.remove(engine, "before_cursor_execute", note)
    assert len(said) >= 6
    with engine.connect() as db:
        is_sqlite = db.dialect.name == "sqlite"
        if not is_sqlite:
            db.exec_driver_sql("ANALYZE")
            db.exec_driver_sql("SET enable_seqscan = off")
        for statement, parameters in said:
            how = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
            plan = "\n".join(str(row) for row in db.exec_driver_sql(how + statement, parameters))
            assert any(index in plan for index in ("ix_instance_place", "ix_variant_", "owed_copy")), plan
            assert "Seq Scan on instance" not in plan and "SCAN instance" not in plan, plan
            assert "Seq Scan on owed_copy" not in plan and "SCAN owed_copy" not in plan, plan
