"""The conformance statement says what the code does: rendered from it, and compared with what goes over the wire."""

import re
from collections.abc import Iterator, Sequence
from datetime import date

import pytest
from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]

from agent.core.patient import PatientKey
from agent.core.result import Kind
from agent.dicom.text import decode_text
from agent.dimse.association import Peer, Timeouts
from agent.dimse.find import PacsFinder
from docs import make_conformance
from docs.conformance_network import C_FIND_KEYS
from docs.conformance_objects import Row, attributes
from docs.conformance_scenes import Made
from docs.conformance_trees import tree

PAGE = make_conformance.PAGE.read_text(encoding="utf-8")
SR = "1.2.840.10008.5.1.4.1.1.88.34"


def test_committed_page_is_what_the_code_renders() -> None:
    """It is never edited: `make docs` renders it from docs/conformance.md.in."""
    assert make_conformance.render() == PAGE


@pytest.mark.parametrize(("template", "values"), [("{{a}} {{b}}", {"a": "1"}), ("{{a}}", {"a": "1", "b": "2"})])
def test_every_place_of_the_template_has_a_value_and_every_value_a_place(template: str, values: dict[str, str]) -> None:
    """A table that nobody shows, or a place that stays empty, stops the rendering."""
    with pytest.raises(ValueError, match="'b'"):
        make_conformance.filled(template, values)


def test_contents_lead_to_the_sections() -> None:
    """Sections of two levels, by the anchors that GitHub gives them."""
    page = make_conformance.filled("# T\n{{contents}}\n## 1 One, two\n### A.1 Three: four\n", {})
    assert page.splitlines()[1:3] == ["- [1 One, two](#1-one-two)", "  - [A.1 Three: four](#a1-three-four)"]


def test_links_within_the_page_lead_to_a_section() -> None:
    """Each anchor is one of the contents."""
    given = set(re.findall(r"^ *- \[[^\]]+\]\(#([^)]+)\)", PAGE, re.MULTILINE))
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) == given


@pytest.mark.parametrize("kind", [kind.value for kind in Kind])
def test_every_kind_of_object_has_an_annex(kind: str) -> None:
    """A kind that the scenes no longer make would vanish without a word."""
    title = make_conformance.TITLES[Kind(kind)].format("")
    assert re.search(rf"^### A\.\d+ .+{re.escape(title)}$", PAGE, re.MULTILINE)


def test_query_keys_are_those_that_go_over_the_wire() -> None:
    """A peer that notes what it is asked, and lists one study with one series."""
    asked: dict[str, Dataset] = {}
    for finder in _asking(asked):
        finder.studies(PatientKey("PHANTOM", "P-1"), ["MG"], date(2026, 8, 1), date(2026, 11, 20))
        finder.instances("2.25.1", ["MG"])
    said = {
        level: tuple({e.keyword for e in query if e.is_empty is empty} - LEVEL for empty in (False, True))
        for level, query in asked.items()
    }
    assert said == {level: tuple(map(set, keys)) for level, keys in C_FIND_KEYS.items()}


LEVEL = {"QueryRetrieveLevel"}


def _asking(asked: dict[str, Dataset]) -> Iterator[PacsFinder]:
    def answer(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        query = event.identifier
        asked[query.QueryRetrieveLevel] = query
        match = Dataset()
        match.StudyInstanceUID, match.SeriesInstanceUID, match.SOPInstanceUID = "2.25.1", "2.25.2", "2.25.3"
        match.SOPClassUID, match.Modality, match.PatientID = SR, "MG", "P-1"
        yield 0xFF00, match
        yield 0x0000, None

    ae = AE(ae_title="PEER")
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, answer)])
    try:
        peer = Peer("SENTINODE", "PEER", "127.0.0.1", server.server_address[1], Timeouts(), 16384)
        yield PacsFinder(peer, "PHANTOM")
    finally:
        server.shutdown()


def test_character_sets_are_those_that_are_read() -> None:
    """Of all ISO_IR numbers, those named are read in another way than the unknown one, or are Latin-1 by their name."""
    (single,) = re.findall(r"^Read: ISO_IR (.+);", PAGE, re.MULTILINE)
    named = {int(number) for number in re.findall(r"\d+", single)}
    text = bytes(range(0xA1, 0xFF))
    unknown = decode_text(text, "ISO_IR 999", "replace")
    read = {n for n in range(1000) if decode_text(text, f"ISO_IR {n}", "replace") != unknown}
    assert named - {6, 100} == read - EXTENSIONS_ALONE


EXTENSIONS_ALONE = {58, 149}  # of two bytes a letter: defined terms only as "ISO 2022 IR n"


# ── where the rows of the annexes are from ──


def made(varied: str, scene: int, source: dict[str, str], **attributes: object) -> Made:
    """Return an object of one scene and of its image."""
    ds, header = Dataset(), Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = SR, f"2.25.{scene}"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    for keyword, text in source.items():
        setattr(header, keyword, text)
    return Made(ds, (header,), varied, Kind.SR, scene)


def row(keyword: str, objects: Sequence[Made]) -> Row:
    """Return the row of one attribute."""
    return next(one for one in attributes(objects) if one.path == (keyword,))


def test_what_an_image_has_is_copied() -> None:
    """A value that is always one of the image's, and not always the same, is from there."""
    named = [made(v, n, {"StudyID": f"{n}{v}"}, StudyID=f"{n}{v}") for v in ("", "images") for n in (1, 2)]
    assert (row("StudyID", named).source, row("StudyID", named).value) == ("COPY", "")
    other = made("", 3, {"StudyID": "3"}, StudyID="4")
    assert row("StudyID", [*named, other]).source == "AUTO"


def test_a_constant_is_made_here_though_an_image_has_it_too() -> None:
    """What never changes tells nothing of the image, and is shown."""
    same = [made(v, 1, {"Modality": "SR"}, Modality="SR") for v in ("", "images")]
    assert (row("Modality", same).source, row("Modality", same).value) == ("AUTO", "SR")


def test_a_key_of_the_configuration_is_named() -> None:
    """Where the same scene differs with it; the value shown is that of the default."""
    said = [made("", 1, {}, SeriesDescription="risk"), made("site.language", 1, {}, SeriesDescription="Risiko")]
    assert row("SeriesDescription", said).source == "AUTO, CONFIG `site.language`"
    assert row("SeriesDescription", said).value == "risk"


@pytest.mark.parametrize(
    ("values", "presence"),
    [(["a", "b"], "ALWAYS"), (["a", ""], "VNAP"), (["a", None], "ANAP"), (["", ""], "EMPTY"), (["", None], "EMPTY")],
)
def test_presence_is_counted(values: list[str | None], presence: str) -> None:
    """Over all objects of a kind, as PS3.2 has it."""
    objects = [made("", n, {}, **({} if v is None else {"StudyID": v})) for n, v in enumerate(values)]
    assert row("StudyID", objects).presence == presence


def test_an_attribute_of_no_module_is_said_to_be_beyond_the_iod() -> None:
    """What makes a SOP class Standard Extended is visible; today there is none."""
    assert row("KVP", [made("", 1, {}, KVP="30")]).module == "beyond the IOD"
    assert "beyond the IOD |" not in PAGE


def test_items_of_one_name_stand_once_with_how_often_they_occur() -> None:
    """Joined over all documents, in an order that keeps every document's own."""
    objects = [document(["a", "c"]), document(["a", "b", "b", "c"])]
    rows = [(item.depth, item.name.split()[0], item.presence) for item in tree(objects)]
    assert rows == [(0, "root", "1"), (1, "a", "1"), (1, "b", "0-n"), (1, "c", "1")]


def document(names: Sequence[str]) -> Made:
    """Return a document with one text for each name."""
    root = item("CONTAINER", "root")
    root.ContentSequence = [item("TEXT", name, RelationshipType="CONTAINS", TextValue="said") for name in names]
    root.SOPClassUID, root.SOPInstanceUID = SR, f"2.25.{len(names)}"
    return Made(root, (), "", Kind.SR, len(names))


def item(value_type: str, name: str, **more: str) -> Dataset:
    """Return a content item."""
    code, ds = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = name.upper(), "99TEST", name
    ds.ValueType, ds.ConceptNameCodeSequence = value_type, [code]
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    return ds
