"""The demo's page, table and closing line: what they show, and that nothing breaks out of them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset

from agent.core.prediction import Category, Estimate, NoEstimate, Side
from demo import words
from demo.checks import check
from demo.closing import Told, closing, rows, table
from demo.expected import dormant, no_case, no_estimate
from demo.outcome import Outcome
from demo.page import write_page
from demo.pictures import thumbnails, write_thumbnails
from tests import builders
from tests.unit.demo.conftest import Make, a_patient, a_result

VOID = {"meta", "img", "br"}
OPTIONAL = {"td", "th", "li", "tr"}  # their end tags may be left away


def told(*outcomes: Outcome) -> list[Told]:
    """Return outcomes with their checks."""
    return [Told(outcome, tuple(check(outcome))) for outcome in outcomes]


class Structure(HTMLParser):
    """Collects tags and attributes, and complains of what is not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("href", "src")]
        if tag not in VOID | OPTIONAL:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """A tag must close the one that was opened last."""
        if tag not in OPTIONAL:
            assert self.open.pop() == tag


def written(folder: Path, *outcomes: Outcome) -> str:
    """Write the page and return it."""
    return write_page(folder, told(*outcomes), "a <PACS>").read_text(encoding="utf-8")


def test_page_is_well_formed_and_needs_no_network(tmp_path: Path, make: Make) -> None:
    """Every tag is closed, every link leads to a file beside the page or into it."""
    page = written(tmp_path, make([a_result(), a_result(2)]))
    found = Structure(page)
    assert found.open == []
    assert "script" not in found.tags
    assert "http" not in "".join(found.links)
    for link in found.links:
        assert f"id={link[1:]}" in page if link.startswith("#") else (tmp_path / link).exists()
    assert len([link for link in found.links if link.endswith("-small.jpg")]) == 6
    assert "v1-secondary_capture-L-1.jpg" in "".join(found.links)


def test_page_tells_answer_report_and_checks(tmp_path: Path, outcome: Outcome) -> None:
    """Story, number, interval, category, contributions, the text SR, what was missing, and the disclaimer."""
    page = written(tmp_path, outcome)
    for text in ("A text.", "73.1 %", "61.1 to 82.1 %", "HIGH", "+1.20", "starting point", "ultrasound, MRI"):
        assert text in page
    assert "LEFT axilla: probability of nodal metastasis 73.1 %" in page
    assert "Research software. Not cleared or CE-marked. Not for clinical use." in page
    assert "FAILED" not in page


def test_page_tells_waiting_from_working(tmp_path: Path, make: Make) -> None:
    """How long the agent waited for more images is not how long it took to answer; an older version is marked."""
    page = written(tmp_path, make([a_result(), a_result(2)]))
    assert "Waited after the last image: 17.0 s. Complete → first report in the PACS: 1.5 s" in page
    assert "<b>1.5 s</b><span>complete to PACS, median</span>" in page
    assert "door to PACS" not in page
    assert page.count("<span class='chip none'>superseded</span>") == 1


def test_page_lists_every_object_and_what_key_objects_say(tmp_path: Path, make: Make) -> None:
    """With the archive that has it; a rejection stands beside the version that supersedes."""
    page = written(tmp_path, make([a_result(), a_result(2)]))
    assert page.count("DICOM objects in the PACS, 2 in demo-old-archive") == 2
    assert "<td>Comprehensive SR<td>AI ALN risk v1 L report, 2D" in page
    said = "Rejected for Quality Reasons: 8 objects. Results of an earlier version, superseded by version 2: no longer"
    assert page.count(f"<p class=when>Key Object: {said}") == 1


def test_older_version_is_not_superseded_before_the_newer_arrives(make: Make) -> None:
    """What the PACS shows as the newest, is not called replaced."""
    outcome = make([a_result(), a_result(2)])
    first, second = outcome.versions
    assert outcome.superseded(first)
    assert not outcome.superseded(second)
    assert not replace(outcome, versions=[first, replace(second, arrived=[])]).superseded(first)


def test_page_escapes_what_it_shows(tmp_path: Path, outcome: Outcome) -> None:
    """Neither a name nor a story nor a reason is read as HTML."""
    evil = "<script>alert(1)</script>"
    patient = a_patient(outcome.patient.expected, title=evil, text=evil)
    patient = replace(patient, who=replace(patient.who, name=f"{evil}^A"))
    ends = dict.fromkeys(patient.sent, ("quarantined", evil))
    page = written(tmp_path, replace(outcome, patient=patient, ends=ends))
    assert evil not in page
    assert page.count("&lt;script&gt;") >= 4
    assert "<PACS>" not in page


def test_page_writes_numbers_as_the_report_does(tmp_path: Path, make: Make) -> None:
    """None reads as certain, and its sign is text."""
    sure = Estimate(Side.L, 0.9999, 0.9995, 1.0, Category.HIGH, {"prior": 9.2})
    page = written(tmp_path, make([a_result(answers=[sure])]))
    assert "&gt; 99.9 %" in page
    assert ">100.0" not in page  # only a style may hold it
    assert "to 100.0" not in page


def test_page_marks_a_story_that_does_not_hold(tmp_path: Path, outcome: Outcome) -> None:
    """In the table, in the figures, and with the problem in words."""
    page = written(tmp_path, replace(outcome, strays=["1.2.3"]))
    assert page.count("FAILED") == 2
    assert "nothing else lies in her studies: 1 unknown objects" in page


def test_page_says_what_became_of_those_without_an_answer(tmp_path: Path, make: Make) -> None:
    """A case that sleeps, a report without a number, and images that nobody wants."""
    asleep = make([builders.result([])], dormant("benign"), state="dormant", reason="the diagnosis is benign")
    none = a_result(answers=[NoEstimate(Side.L, "too late")], influences=(), used=())
    refused = make([none], no_estimate("too late"))
    patient = a_patient(no_case(not_relevant=2))
    unwanted = Outcome(patient, [], dict.fromkeys(patient.sent, ("not_relevant", "no model uses CT")), [])
    page = written(tmp_path, asleep, refused, unwanted)
    assert page.count("Nothing was sent.") == 2
    assert "Dormant. The diagnosis is benign" in page
    assert page.count("No estimate. Too late") == 1
    assert "<p>Too late</p>" in page
    assert "NO ESTIMATE" in page
    assert "2 images no model uses CT" in page
    assert Structure(page).open == []


def test_page_says_of_a_refusal_what_its_report_says(tmp_path: Path, make: Make) -> None:
    """The card beside "no estimate" names the images that lay there and those that did not come."""
    evidence = ("Expected and present: MG.", "US did not arrive within 15 s.")
    refusal = [NoEstimate(Side.L, "too late")]
    none = a_result(answers=refusal, influences=(), used=(), modalities_missing=(), facts_used=(), evidence=evidence)
    page = written(tmp_path, make([none], no_estimate("too late")))
    card = page[page.index("<h3>Received and not used") : page.index("<h3>The report")]
    assert "<li>Not used, because no estimate can be given: 2 mammograms." in card
    assert "<li>Ultrasound did not arrive within 15 s." in card
    assert "<li>None" in card
    assert "<li>Nothing" not in card


def test_table_has_a_row_for_each_version(make: Make) -> None:
    """And says which it is, only where there are two."""
    (one,), (two,) = told(make()), told(make([a_result(), a_result(2)]))
    assert [row[0] for row in rows(one)] == ["left"]
    assert [row[0] for row in rows(two)] == ["left, version 1 (superseded)", "left, version 2"]
    assert rows(one)[0][2:] == ("73.1 % (61.1 to 82.1 %)", "HIGH", "17.0 s", "1.5 s")
    assert table([one, two]).row_count == 3


def test_table_and_page_tell_who_decided_what_was_held(tmp_path: Path, outcome: Outcome) -> None:
    """The reason and the person, in a row before the answer; what nobody has decided yet says so."""
    why = {"event": "conflict_found", "at": "2026-01-06T09:28:00+00:00", "reason": "the birth dates differ"}
    ended = {"event": "resolved", "at": "2026-01-06T09:29:00+00:00", "reason": "Somebody decided: split"}
    one = replace(outcome, versions=[replace(outcome.versions[0], events=[why, ended, why])])
    said = [row[2] for row in rows(told(one)[0])]
    assert said[:2] == [
        "The birth dates differ → Somebody decided: split",
        "The birth dates differ → nobody has decided yet",
    ]
    assert len(said) == 3
    page = written(tmp_path, one)
    assert page.count("The birth dates differ → Somebody decided: split") == 2  # in the table, and in her part
    Structure(page)
    assert json.loads(closing(told(one)))["held_resolved"] == 1


def test_closing_line(make: Make) -> None:
    """Counts over everybody; a case of two versions is one case."""
    asleep = make([builders.result([])], dormant("benign"), state="dormant", reason="the diagnosis is benign")
    line = json.loads(closing(told(make([a_result(), a_result(2)]), asleep)))
    assert line["patients"] == 2
    assert (line["cases"], line["versions"], line["dormant"]) == (1, 3, 1)
    assert (line["sr"], line["text_sr"], line["secondary_capture"]) == (2, 2, 6)
    assert (line["lost"], line["quarantined"], line["not_relevant"], line["stories_failed"]) == (0, 0, 0, 0)
    assert line["door_to_pacs_s"] == {"median": 1.5, "max": 1.5}


def test_closing_line_counts_what_is_lost_or_wrong(outcome: Outcome) -> None:
    """An image without an end is lost, and the story fails."""
    line = json.loads(closing(told(replace(outcome, ends={}))))
    assert (line["lost"], line["stories_failed"]) == (2, 1)


def test_left_out_images_are_counted_by_reason(outcome: Outcome) -> None:
    """Alike ones together, facts by their names."""
    rows_ = [{**row, "left_out": "too old"} for row in outcome.versions[0].instances]
    case = dict(outcome.versions[0].case)
    facts = [{"what": "size_ultrasound_mm", "reason": "known too late"}, {"what": "1.2.3", "reason": "too old"}]
    case["summary"] = {**case["summary"], "left_out": facts}
    version = replace(outcome.versions[0], case=case, instances=rows_)
    assert words.left_out(outcome, version) == ["2 mammograms: too old", "size on ultrasound: known too late"]


def test_thumbnails_are_the_middle_of_each_series() -> None:
    """One of each series, four at most; of one series four, spread."""

    def images(series: int, count: int) -> list[Dataset]:
        pairs = [(n, i) for n in range(series) for i in range(count)]
        return [builders.mammogram(SeriesInstanceUID=f"1.{n}", InstanceNumber=i, rows=20, columns=16) for n, i in pairs]

    assert [int(ds.InstanceNumber) for ds in thumbnails(images(1, 8))] == [1, 3, 5, 7]
    assert [int(ds.InstanceNumber) for ds in thumbnails(images(1, 2))] == [0, 1]
    assert [str(ds.SeriesInstanceUID) for ds in thumbnails(images(4, 5))] == ["1.0", "1.1", "1.2", "1.3"]
    assert {int(ds.InstanceNumber) for ds in thumbnails(images(4, 5))} == {2}


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1", "RGB"])
def test_thumbnails_look_as_the_image_does(tmp_path: Path, photometric: str) -> None:
    """Bright is bright, however it is stored; all of a study share one window."""
    values = np.tile(np.linspace(0, 200, 32).astype(np.uint8), (32, 1))
    ds = Dataset()
    ds.Rows, ds.Columns = values.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = (3 if photometric == "RGB" else 1), photometric
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation, ds.PlanarConfiguration = 7, 0, 0
    stored = np.repeat(values[..., None], 3, 2) if photometric == "RGB" else values
    ds.PixelData = (255 - stored if photometric == "MONOCHROME1" else stored).tobytes()
    ds.file_meta = builders.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = builders.ExplicitVRLittleEndian
    path = tmp_path / "small.jpg"
    write_thumbnails([ds], [path])
    shown = np.asarray(Image.open(path).convert("L"), float)
    assert shown[16, 2] < 60
    assert shown[16, 29] > 160
