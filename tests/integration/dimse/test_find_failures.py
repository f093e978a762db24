"""Questions to peers that refuse, lie, flood or hang, over real sockets."""

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from agent.core.errors import Permanent, Transient
from agent.core.patient import PatientKey
from agent.dimse.association import Peer, Timeouts
from agent.dimse.find import Bounds, PacsFinder
from tests.archives import AGENT, QUICK

FIND, VERIFICATION = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.1.1"
ALICE = PatientKey("PHANTOM", "P-1")
SINCE, UNTIL = date(2026, 8, 1), date(2026, 11, 20)

Answer = Callable[[evt.Event], Iterator[tuple[int, Dataset | None]]]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Whatever fails, the association's threads end."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 10
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left


@contextmanager
def serving(answer: Answer, *, offers: str = FIND) -> Iterator[int]:
    """A peer that answers queries in its own way; gives its port."""
    ae = AE(ae_title="PEER")
    ae.add_supported_context(offers)
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, answer)])
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def finder(port: int, bounds: Bounds | None = None, timeouts: Timeouts = QUICK) -> PacsFinder:
    """Return the agent's finder for a peer."""
    return PacsFinder(Peer(AGENT, "PEER", "127.0.0.1", port, timeouts, 131072), "SITE", bounds=bounds)


def match(**attributes: object) -> Dataset:
    """Return a match of Alice's study, changed; None leaves an attribute out."""
    ds = Dataset()
    said = {"PatientID": "P-1", "IssuerOfPatientID": "PHANTOM", "StudyInstanceUID": "1.5", "StudyDate": "20261101"}
    for keyword, value in {**said, **attributes}.items():
        if value is not None:
            setattr(ds, keyword, value)
    return ds


@dataclass
class Liar:
    """A peer that answers every query with the same matches, whatever it asked."""

    port: int = 0
    matches: list[Dataset] = field(default_factory=list)

    def studies(self, *matches: Dataset) -> list[str]:
        """Which of these matches are believed."""
        self.matches = list(matches)
        return studies(self.port)


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    """One for all tests: ending it takes half a second."""
    made = Liar()
    with serving(lambda event: ((0xFF00, one) for one in made.matches)) as made.port:
        yield made


def answering(*matches: Dataset) -> Answer:
    """Answer every query with the same matches, whatever it asked."""
    return lambda event: ((0xFF00, one) for one in matches)


def studies(port: int, **known: Bounds) -> list[str]:
    """Which of Alice's studies are believed."""
    found = finder(port, **known).studies(ALICE, ("MG", "MR"), SINCE, UNTIL)
    return [one.study_instance_uid for one in found]


@pytest.mark.parametrize(
    "lie",
    [
        {"PatientID": "P-2"},
        {"PatientID": "P-10"},
        {"PatientID": "p-1"},
        {"PatientID": None},
        {"IssuerOfPatientID": "ELSEWHERE"},
        {"IssuerOfPatientID": None},
        {"StudyDate": "20250101"},
        {"StudyDate": "20270101"},
        {"ModalitiesInStudy": "CT"},
        {"ModalitiesInStudy": ["CT", "PT"]},
        {"StudyInstanceUID": None},
    ],
)
def test_a_match_that_is_not_hers_is_not_believed(liar: Liar, lie: dict[str, object]) -> None:
    """A peer that ignores every key does not give us another patient's studies, nor those of other days or kinds."""
    assert liar.studies(match(**{"StudyInstanceUID": "1.6", **lie}), match()) == ["1.5"]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"PatientID": " P-1 "},
        {"StudyDate": None},
        {"ModalitiesInStudy": ["CT", "MR"]},
        {"ModalitiesInStudy": "MG"},
        {"ModalitiesInStudy": ""},
    ],
)
def test_a_match_that_may_be_hers_is_listed_once(liar: Liar, said: dict[str, object]) -> None:
    """Padding and what is left unsaid speak for it; a duplicate is one study."""
    assert liar.studies(match(**said), match(**said)) == ["1.5"]


def test_what_breaks_its_value_representation_is_read_in_silence(
    liar: Liar, recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    """A day that is none counts as unsaid, and nothing quotes a value."""
    broken = match()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        broken.StudyDate, broken.PatientComments = "soon", ""
        other = match(PatientID="P-2" * 40, StudyInstanceUID="1.6")
    caplog.clear()
    assert liar.studies(other, broken) == ["1.5"]
    assert [w for w in recwarn.list if "soon" in str(w.message) or "P-2" in str(w.message)] == []
    assert "P-2" not in caplog.text and "soon" not in caplog.text


@pytest.mark.parametrize(
    ("status", "kind"), [(0xA700, Transient), (0xA900, Permanent), (0xC000, Transient), (0x0122, Permanent)]
)
def test_a_failure_is_no_answer(status: int, kind: type[Exception]) -> None:
    """Never "nothing there", and whether it is for good is told from its status."""
    with serving(lambda event: iter([(0xFF00, match()), (status, None)])) as port, pytest.raises(kind, match="C-FIND"):
        studies(port)


def test_a_peer_that_offers_no_query_refuses() -> None:
    """Nothing that was not configured there comes by waiting."""
    with serving(answering(), offers=VERIFICATION) as port:
        with pytest.raises(Permanent, match="no C-FIND"):
            studies(port)
        with pytest.raises(Permanent, match="no C-FIND"):
            finder(port).instances("1.5", ("MG",))


def test_a_flood_is_cancelled() -> None:
    """The peer gets a C-CANCEL and stops."""
    cancelled = threading.Event()

    def flood(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for n in range(900):
            if event.is_cancelled:
                cancelled.set()
                yield 0xFE00, None
                return
            time.sleep(0.001)
            yield 0xFF00, match(StudyInstanceUID=f"1.5.{n}")

    with serving(flood) as port, pytest.raises(Permanent, match="too many: more than 50"):
        studies(port)
    assert cancelled.is_set()


def test_a_flood_that_ignores_the_cancel_ends() -> None:
    """The association is aborted."""

    def flood(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        n = 0
        while event.assoc.is_established:
            n += 1
            yield 0xFF00, match(StudyInstanceUID=f"1.5.{n}")

    with serving(flood) as port, pytest.raises(Transient, match="not over in time"):
        studies(port)


def test_an_answer_that_goes_on_and_on_ends() -> None:
    """The whole question has a limit, not each response alone."""

    def slow(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        while event.assoc.is_established:
            time.sleep(0.05)
            yield 0xFF00, match()

    with serving(slow) as port, pytest.raises(Transient, match="not over in time"):
        studies(port, bounds=Bounds(seconds=0.3))


def test_a_peer_that_says_nothing_is_not_waited_for_for_ever() -> None:
    """No response within the response timeout."""
    hold = threading.Event()

    def silent(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        hold.wait(5)
        yield 0x0000, None

    with serving(silent) as port:
        asked = finder(port, timeouts=Timeouts(response_s=0.3))
        with pytest.raises(Transient, match="no response"):
            asked.studies(ALICE, ("MG",), SINCE, UNTIL)
        hold.set()


def levels(series: list[Dataset], images: list[Dataset]) -> Answer:
    """Answer by level, whatever else was asked."""

    def answer(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for one in series if event.identifier.QueryRetrieveLevel == "SERIES" else images:
            yield 0xFF00, one

    return answer


def image(uid: str, series: str | None = "1.5.1", sop_class: str | None = "1.2") -> Dataset:
    """Return a match at IMAGE level."""
    return match(SOPInstanceUID=uid, SeriesInstanceUID=series, SOPClassUID=sop_class)


def test_instances_of_other_series_and_studies_are_not_believed() -> None:
    """Nor is one counted twice; no NumberOf… attribute is asked for or needed."""
    series = [
        match(SeriesInstanceUID="1.5.1", Modality="MG"),
        match(SeriesInstanceUID="1.6.1", Modality="MG", StudyInstanceUID="1.6"),
        match(SeriesInstanceUID="1.5.2", Modality="CT"),
        match(SeriesInstanceUID=None, Modality="MG"),
    ]
    images = [image("1"), image("1"), image("2", None), image("3", "1.5.9")]
    with serving(levels(series, images)) as port:
        found = finder(port).instances("1.5", ("MG",))
    assert [(one.series_instance_uid, one.sop_instance_uid) for one in found] == [("1.5.1", "1"), ("1.5.1", "2")]


@pytest.mark.parametrize("sop_class", [None, ""])
def test_instances_without_a_class_prove_nothing(sop_class: str | None) -> None:
    """It cannot be told which of them are to be here."""
    images = [image("1"), image("2", sop_class=sop_class)]
    series = [match(SeriesInstanceUID="1.5.1", Modality="MG")]
    with serving(levels(series, images)) as port, pytest.raises(Permanent, match="of which SOP class"):
        finder(port).instances("1.5", ("MG",))


def test_a_bound_holds_over_all_series() -> None:
    """Many small series are too many as well."""

    def answer(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        query = event.identifier
        if query.QueryRetrieveLevel == "SERIES":
            yield from ((0xFF00, match(SeriesInstanceUID=f"1.5.{n}", Modality="MG")) for n in range(3))
        else:
            yield 0xFF00, image(f"{query.SeriesInstanceUID}.1", None)

    with serving(answer) as port:
        assert len(finder(port, Bounds(instances=3)).instances("1.5", ("MG",))) == 3
        with pytest.raises(Permanent, match="too many"):
            finder(port, Bounds(instances=2)).instances("1.5", ("MG",))


def test_no_match_is_lost_between_two_queries_on_one_association() -> None:
    """Many series in a row, each answered at once."""

    def answer(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        query = event.identifier
        if query.QueryRetrieveLevel == "SERIES":
            yield from ((0xFF00, match(SeriesInstanceUID=f"1.5.{n}", Modality="MG")) for n in range(1, 151))
        else:
            yield 0xFF00, image(f"{query.SeriesInstanceUID}.1", None)

    with serving(answer) as port:
        assert len(finder(port).instances("1.5", ("MG",))) == 150


def test_a_peer_that_aborts_between_two_queries_was_not_heard() -> None:
    """The first answer alone is none."""

    def answer(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        if event.identifier.QueryRetrieveLevel == "SERIES":
            yield 0xFF00, match(SeriesInstanceUID="1.5.1", Modality="MG")
        else:
            event.assoc.abort()

    with serving(answer) as port, pytest.raises(Transient):
        finder(port).instances("1.5", ("MG",))
