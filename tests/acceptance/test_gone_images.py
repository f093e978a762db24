"""A later version of a report whose first images are no longer kept."""

from contextlib import closing

from agent.bootstrap.inspect import open_store
from tests.acceptance.conftest import Hospital, kinds, story, views
from tests.acceptance.test_one_patient import text
from tests.harness import wait_until

GONE = "the received bytes are no longer in the spool"


def _forget_all(hospital: Hospital, case_id: int) -> None:
    """Do what retention does where the room is scarce."""
    with closing(open_store(hospital.agent._config())) as store, store.unit() as unit:
        unit.forget_bytes([one.ref for one in unit.instances(case_id)])


def test_a_report_names_what_is_gone_and_rests_on_what_is_there(hospital: Hospital) -> None:
    """The image of the first version was released; the second one uses the new one, and says why not the other."""
    patient = hospital.patient(1)
    assert hospital.send(views(patient, "L CC")) == [0]
    (first,) = hospital.wait_ended()
    assert first["state"] == "done", first["reason"]
    sent = len(hospital.results())
    _forget_all(hospital, first["id"])
    assert hospital.send(views(patient, "L MLO")) == [0]
    second, _ = hospital.wait_ended(2)
    assert second["state"] == "done", second["reason"]
    told = {i["view_position"]: i for i in story(hospital.agent, second["id"])["instances"]}
    assert {name: one["used"] for name, one in told.items()} == {"CC": False, "MLO": True}
    assert told["CC"]["left_out"] == GONE
    results = wait_until(lambda: hospital.results()[sent:], 20, "no second report")
    words = text(results[kinds(results).index("text_sr")])
    (line,) = [line for line in words.splitlines() if GONE in line]
    assert line.startswith("Not used: ")
