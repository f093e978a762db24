"""Two lineages side by side: everything that an answer rests on and that is not the same is said, once."""

from copy import deepcopy
from typing import Any

import pytest

from agent.operate.lineage import Change, changes, shown, used_images
from tests.lineages import FACT, GROUP, image, lineage


def test_the_same_lineage_has_no_changes() -> None:
    """Nothing is said."""
    assert changes(lineage(), lineage()) == ()


@pytest.mark.parametrize(
    ("path", "value", "part", "what"),
    [
        (("bundle", "version"), "1.1.0", "model", "version: 1.0.0 → 1.1.0"),
        (("bundle", "digest"), "cd" * 32, "model", "digest: abababababab → cdcdcdcdcdcd"),
        (("bundle", "device"), "cuda:0", "model", "device: cpu → cuda:0"),
        (("site", "prevalence"), 0.3, "site", "prevalence: none → 0.3"),
        (("site", "operating_points"), {"low": 0.25}, "site", "operating points: low 0.2 → low 0.25"),
        (("ehr_query",), "e1" * 32, "configuration", "clinical query is another: e0e0e0e0e0e0 → e1e1e1e1e1e1"),
        (("configuration", "keys"), {"site.prevalence": "03", "new.key": "04"}, "configuration",
         "other values of cases.quiet_s, new.key, site.prevalence"),
        (("code", "version"), "1.1", "code", "version: 1.0 → 1.1"),
        (("code", "digest"), "d2" * 32, "code", "source files: d1d1d1d1d1d1 → d2d2d2d2d2d2"),
        (("code", "python"), "3.12.0", "code", "Python: 3.11.2 → 3.12.0"),
        (("code", "libraries"), {"numpy": "2.1"}, "code", "numpy: 2.0 → 2.1"),
        (("patient",), "d9" * 16, "patient", "Patient ID or its issuer is another: d0d0d0d0d0d0 → d9d9d9d9d9d9"),
        (("facts",), [], "facts", "no longer used: grade"),
        (("facts",), [{**FACT, "value_digest": "bb", "known_on": "2026-01-02"}], "facts",
         "grade has another value, known on 2026-01-02"),
        (("facts",), [{**FACT, "source": "registry"}], "facts",
         "grade is dated or sourced otherwise: known on 2026-01-01, registry"),
        (("facts",), [FACT, {**FACT, "name": "er", "known_on": "2026-01-03"}], "facts",
         "added: er, known on 2026-01-03"),
        (("facts_left_out",), [], "left out", "node_biopsy: no longer (too late)"),
        (("facts_left_out",), [{"name": "node_biopsy", "reason": "unread"}], "left out", "node_biopsy: unread"),
    ],
)  # fmt: skip
def test_each_part_says_what_changed(path: tuple[str, ...], value: object, part: str, what: str) -> None:
    """In words; no digest in full."""
    after = lineage()
    inner = after
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert changes(lineage(), after) == (Change(part, what),)


@pytest.mark.parametrize(
    ("group", "what"),
    [
        ({"instances": [image("1.1"), image("1.2")]}, "added: MG L CC of 2026-01-05 (1.2)"),
        ({"instances": []}, "no longer used: MG L CC of 2026-01-05 (1.1): no longer in the case"),
        ({"left_out": "a newer one"}, "no longer used: MG L CC of 2026-01-05 (1.1): a newer one"),
        ({"instances": [image("1.1", "ff")]}, "other bytes: MG L CC of 2026-01-05 (1.1)"),
        ({"rule": "site-1"}, "other rule: MG L CC of 2026-01-05 (1.1): MG-21 → site-1"),
        ({"role": ""}, "other role: MG L CC of 2026-01-05 (1.1): mg.cc → none"),
    ],
)
def test_images_say_what_they_are(group: dict[str, Any], what: str) -> None:
    """By modality, side, view and day, and their UID."""
    after = lineage()
    after["images"][0] |= group
    assert changes(lineage(), after) == (Change("images", what),)


def test_many_images_of_a_kind_are_counted() -> None:
    """A dynamic series that came is one line, not a thousand."""
    after = lineage()
    slices = [image(f"1.3.{n}") for n in range(300)]
    mr = {**GROUP, "modality": "MR", "laterality": "", "view_position": "", "acquired_on": None, "instances": slices}
    after["images"].append(mr)
    assert changes(lineage(), after) == (Change("images", "added: 300 images, MR of an unknown day (1.3.0, ...)"),)


def test_an_image_that_was_never_used_is_no_change() -> None:
    """Nor is one that is left out for another reason."""
    before, after = lineage(), lineage()
    for side, reason in ((before, "other breast"), (after, "other side")):
        side["images"].append({**GROUP, "left_out": reason, "instances": [image("1.9")]})
    assert changes(before, after) == ()
    assert list(used_images(after)) == ["1.1"]


def test_what_was_said_is_left_as_it_was() -> None:
    """Comparing changes neither."""
    before, after = lineage(), lineage()
    after["images"], after["facts"] = [], []
    kept = deepcopy((before, after))
    assert len(changes(before, after)) == 2
    assert (before, after) == kept


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "none"),
        ("", "none"),
        ({}, "none"),
        (0.123456789, "0.123457"),
        ("ab" * 16, "abababababab"),
        ("g" * 64, "g" * 64),
    ],
)
def test_values_are_written_for_people(value: object, said: str) -> None:
    """A digest by its first digits, nothing as none."""
    assert shown(value) == said
