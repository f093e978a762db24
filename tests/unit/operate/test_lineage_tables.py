"""`cases show --lineage` answers in the order in which a person asks."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from rich.console import Console

from agent.operate.lineage_tables import lineage_json, lineage_parts
from agent.state.stories import CaseLine, Origins
from tests.lineages import GROUP, image, lineage

AT = datetime(2026, 1, 6, 9, 30, tzinfo=UTC)
ANSWER = {
    "side": "L",
    "probability": 0.731,
    "low": 0.611,
    "high": 0.821,
    "category": "HIGH",
    "contributions": {"MG": 1.5},
}
SUMMARY = {"answers": [ANSWER], "modalities_missing": ["US"], "training_prevalence": 0.25}
FIRST = CaseLine(1, "2.25.1", 1, "aln", "PHANTOM", "P-1", "done", AT, None, None, "", 4, SUMMARY)
SECOND = replace(FIRST, id=2, version=2)


def full() -> dict[str, Any]:
    """A lineage of everything."""
    kept = lineage()
    kept["bundle"]["intended_use"] = "demonstration"
    kept["images"].append({**GROUP, "left_out": "the right breast", "instances": [image("1.8"), image("1.9")]})
    kept["damaged"] = [{"what": "1.7", "modality": "US"}]
    one = {"role": "sr:L", "sop_instance_uid": "2.25.5", "sha256": "5a" * 32, "bytes": 1234, "to": ["pacs", "vna"]}
    kept["objects"] = [one]
    return kept


def text(origins: Origins) -> str:
    """What stands on the terminal."""
    screen = StringIO()
    Console(file=screen, width=200).print(*lineage_parts(origins), sep="\n\n")
    return screen.getvalue()


def test_everything_is_told_in_the_order_of_the_question() -> None:
    """The answer, images, facts, model, configuration, code, what was left out, what was made, what changed."""
    other = full()
    other["facts"] = []
    said = text(Origins(SECOND, full(), FIRST, other))
    words = [
        "case 2, version 2, done: L 73.1 % (61.1 to 82.1 %) HIGH",
        "from 1 image",
        "mg.cc",
        "MG-21",
        "from these facts",
        "pathology",
        "tiny 1.0.0 (demonstration), manifest sha256 " + "ab" * 32,
        "MG +1.500",
        "site none, training 0.25",
        "sha256 " + "c0" * 32,
        "sentinode 1.0",
        "Python 3.11.2, numpy 2.0",
        "left out",
        "2 MG images",
        "US damaged when it arrived",
        "too late",
        "missing",
        "5a5a5a5a5a5a",
        "pacs, vna",
        "not as it was for version 1 (case 1)",
        "it said",
        "added: grade, known on 2026-01-01",
    ]
    places = [said.find(word) for word in words]
    assert not [word for word, place in zip(words, places, strict=True) if place < 0]
    assert places == sorted(places)


def test_an_answer_from_nothing_says_so() -> None:
    """No empty tables."""
    kept = full()
    kept["images"], kept["facts"], kept["damaged"], kept["facts_left_out"] = [], [], [], []
    case = replace(FIRST, summary={"answers": [{"side": "L", "reason": "too late"}]})
    said = text(Origins(case, kept, None, {}))
    for words in ("from no image", "from no clinical fact", "nothing was left out", "there is no version before it"):
        assert words in said
    assert "log-odds" not in said


def test_many_images_of_a_kind_are_one_line() -> None:
    """With their number."""
    kept = full()
    kept["images"][0]["instances"] = [image(f"1.1.{n}") for n in range(200)]
    said = text(Origins(FIRST, kept, None, {}))
    assert "200, the first 1.1.0" in said
    assert "1.1.7" not in said


def test_the_same_basis_is_said_to_be_the_same() -> None:
    """And a version before that kept none is named."""
    assert "nothing: it rests on the same" in text(Origins(SECOND, full(), FIRST, full()))
    assert "(case 1) was answered without a lineage" in text(Origins(SECOND, full(), FIRST, {}))


def test_what_a_hospital_wrote_moves_no_cursor() -> None:
    """Nor is it markup."""
    kept = full()
    kept["facts"][0]["source"] = "\x1b[2J[bold]lab"
    said = text(Origins(FIRST, kept, None, {}))
    assert "\x1b" not in said
    assert "[bold]lab" in said


def test_json_holds_what_is_kept_and_what_changed() -> None:
    """For a program; null where there is nothing to compare with."""
    other = full()
    other["code"]["version"] = "0.9"
    told = json.loads(json.dumps(lineage_json(Origins(SECOND, full(), FIRST, other))))
    assert told["lineage"] == full()
    assert told["case"]["id"] == 2
    assert told["before"] == {"case": 1, "version": 1}
    assert told["changed"] == [{"part": "code", "what": "version: 0.9 → 1.0"}]
    alone = lineage_json(Origins(FIRST, full(), None, {}))
    assert (alone["before"], alone["changed"]) == (None, None)
