"""What was delivered can be explained, and comes out again, while the agent runs."""

import json

from tests.acceptance.conftest import Hospital, views


def test_a_delivered_answer_comes_out_again_and_nothing_is_sent(hospital: Hospital) -> None:
    """From the bytes that a modality sent, with the shipped bundle: every number, every byte, and no object more.

    The SR in reserve, which no archive here needs, is made again with the others.
    """
    hospital.send(views(hospital.patient(1)))
    (case,) = hospital.wait_ended()
    arrived = len(hospital.results())
    done = hospital.agent.cli("rerun", str(case["id"]), "--dry")
    assert done.stdout.splitlines() == [
        f"case {case['id']}, version 1: the same numbers",
        f"the same bytes of all {arrived + 1} objects",
    ]
    assert len(hospital.results()) == arrived
    assert hospital.agent.cases() == [case]
    told = json.loads(hospital.agent.cli("cases", "show", str(case["id"]), "--lineage", "--json").stdout)
    assert {one["to"][0] for one in told["lineage"]["objects"]} == {"pacs"}
    sent = {str(ds.SOPInstanceUID) for ds in hospital.results()}
    made = {one["sop_instance_uid"]: one["role"] for one in told["lineage"]["objects"]}
    assert sent <= made.keys()
    assert [role for uid, role in made.items() if uid not in sent] == ["sr:L:comprehensive"]
    refused = hospital.agent.cli("rerun", str(case["id"]), check=False)
    assert refused.returncode == 2
    assert f"`sentinode resend {case['id']}`" in refused.stderr
