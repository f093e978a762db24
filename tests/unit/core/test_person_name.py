"""Names of one person and of two, as senders write them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.person_name import LOST, distance, names_agree, names_match, names_match_in_full, normalised
from tests.peers import ROOT

ALIKE = [
    ("DOE^JANE", "Doe^Jane"),
    ("DOE^JANE", " DOE ^JANE  ^^^==\0"),
    ("DE  LA  CRUZ^ANA", "De la Cruz^Ana"),
    ("Müller^Anna", "MUELLER^ANNA"),
    ("Müller^Anna", "MULLER^ANNA"),
    ("Mueller^Anna", "MULLER^ANNA"),
    ("Kräuter^Jörg", "KRAEUTER^JOERG"),
    ("Ångström^Åse", "AANGSTROEM^AASE"),
    ("Straße^Łucja", "STRASSE^LUCJA"),
    ("Ðorđević^Ana", "DORDEVIC^ANA"),
    ("İnci^Işıl", "INCI^ISIL"),
    ("Nu\u0308n\u0303ez^Ana", "Nüñez^Ana"),
    ("MÃ¼ller^Anna", "Müller^Anna"),
    ("M?ller^Anna", "Müller^Anna"),
    ("M??ller^Anna", "Müller^Anna"),
    (f"M{LOST}ller^Anna", "MULLER^ANNA"),
    ("O'Brien^Anne", "OBRIEN^ANNE"),
    ("O'Brien^Anne", "O Brien^Anne"),
    ("O´Brien^Anne", "O\u2019Brien^Anne"),
    ("McDonald^Anne", "MC DONALD^ANNE"),
    ("Doe-Smith^Jane", "DOE SMITH^JANE"),
    ("Doe-Smith^Jane", "Doe^Jane"),
    ("Doe-Smith^Jane", "Smith^Jane"),
    ("Doe-Smith^Jane", "Smith-Doe^Jane"),
    ("Doe-Smith", "Doe^Jane"),
    ("van der Berg^Anna", "BERG^ANNA"),
    ("van der Berg^Anna", "VANDERBERG^ANNA"),
    ("Doe^Anne-Marie", "Doe^Annemarie"),
    ("Doe^Anna^Maria", "Doe^Maria^Anna"),
    ("Doe^Anna^Maria", "Doe^Anna Maria"),
    ("Doe^Anna^Maria", "Doe^Anna^M."),
    ("Doe^Anna^Maria", "Doe^A^M"),
    ("Doe^Anna^Maria", "Doe^M^A"),
    ("Doe^A^Anna", "Doe^Anna^Anton"),
    ("Doe^Jane", "Doe^J^Mary"),
    ("Doe^Jane", "Doe"),
    ("Doe^Jane^^Dr.^PhD", "Doe^Jane"),
    ("DOE JANE", "Doe^Jane"),
    ("JANE DOE", "Doe^Jane^Mary"),
    ("Doe, Jane", "DOE^JANE"),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "YAMADA^TAROU"),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "山田^太郎"),
    ("Yamada^Tarou=山田^太郎=やまだ^たろう", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    ("=山田^太郎", "Yamada^Tarou=山田^太郎"),
    ("Hong^Gildong=洪^吉洞=홍^길동", "=洪^吉洞"),
    ("山田太郎", "山田^太郎"),
    ("山田\u3000太郎", "山田^太郎"),
    ("ＤＯＥ^ＪＡＮＥ", "DOE^JANE"),
]
APART = [
    ("Doe^Jane", "Roe^Jane"),
    ("Doe^Jane", "Doe^Mary"),
    ("Doe^Anna^Lucia", "Doe^Anna^Maria"),
    ("Doe^Jane", "Doe^M^Lucia"),
    ("Doe-Smith^Jane", "Doe-Jones^Jane"),
    ("VAN^ANNA", "VAN DER BERG^ANNA"),
    ("Bauer^Anna", "Baur^Anna"),
    ("MARTIN SMITH", "SMITH^ANNA"),
    ("JANE DOE", "ANNA DOE"),
    ("Doe^Anna^Anna", "Doe^Anna^Maria"),
    ("MEYER^ANNA", "MEIER^ANNA"),
    ("JANE^DOE", "DOE^JANE"),
    ("D^Jane", "Doe^Jane"),
    ("Yamada^Tarou=山田^太郎", "Yamada^Tarou=本田^太郎"),
    ("Yamada^Tarou=山田^太郎", "Honda^Tarou=山田^太郎"),
    ("=山田^太郎=やまだ^たろう", "ﾔﾏﾀ^ﾀﾛｳ"),
    ("王^小", "王^小东"),
    ("山田太郎", "山田^太"),
    ("สมชาย^ใจดี", "สมชัย^ใจดี"),
]
UNKNOWN = [
    ("", ""),
    ("", "Doe^Jane"),
    ("^^^^==", "Doe^Jane"),
    ("????", "Doe^Jane"),
    ("Yamada^Tarou", "山田^太郎"),
    ("Иванова^Анна", "IVANOVA^ANNA"),
    ("^Jane", "Doe^Jane"),
    ("Doe", "^Jane"),
]
NAMES = sorted({name for pair in ALIKE + APART + UNKNOWN for name in pair})
PIECES = st.lists(st.sampled_from([*"abdeu^^= -'?ü山田が", LOST, "anna", "doe", "van", "von"]), max_size=12).map(
    "".join
)
ANY_NAME = st.sampled_from(NAMES) | PIECES | st.text(max_size=20)


@pytest.mark.parametrize(("a", "b"), ALIKE)
def test_one_persons_names(a: str, b: str) -> None:
    """What senders change about a name leaves it that person's."""
    assert names_agree(a, b) is True


@pytest.mark.parametrize(("a", "b"), APART)
def test_two_persons_names(a: str, b: str) -> None:
    """A letter is enough for another name where nothing else is known."""
    assert names_agree(a, b) is False


@pytest.mark.parametrize(("a", "b"), UNKNOWN)
def test_names_that_cannot_be_compared(a: str, b: str) -> None:
    """What has no script or no part in common says nothing."""
    assert names_agree(a, b) is None


@pytest.mark.parametrize(
    ("a", "b", "agree"),
    [
        ("MEYER^ANNA", "MEIER^ANNA", True),
        ("MEYER^ANNA", "EMYER^ANNA", True),
        ("DOE^KATHARINA", "DOE^KATARINA^MARIA", True),
        ("SCHWARZENBERGER^A", "SCHWRZENBEGER^A", True),
        ("SCHWARZENBERGER^A", "SCHWRZENBGER^A", False),
        ("MEYER^ANNA", "MAIER^ANNA", False),
        ("ROE^ANNA", "ROY^ANNA", False),
        ("MEYER^ANNA", "MEIER^ANNE", False),
        ("DOE^JANE", "JANE^DOE", True),
        ("DOE^JANE", "JANE^ROE", False),
        ("DOE^JANE", "ROE", False),
        ("DOE", "ROE^JANE", False),
        ("MEYER", "MEIER^JANE", True),
        ("^JANET", "DOE^JANEY", True),
        ("=たなかやま^花", "=たなきやま^花", False),
    ],
)
def test_a_typing_error_in_one_part(a: str, b: str, agree: bool) -> None:
    """Where birth date and sex confirm it, a letter or two or an exchange of parts is forgiven, in one part only."""
    assert names_agree(a, b, confirmed=True) is agree


def test_the_page_says_what_is_tolerated() -> None:
    """Every row of docs/identity.md that shows two names says what comparing them says."""
    page = (ROOT / "docs/identity.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.+)` \| `(.+)` \| (yes|unknown|no|only if confirmed)\b", page, re.MULTILINE)
    said = {"yes": (True, True), "unknown": (None, None), "no": (False, False), "only if confirmed": (False, True)}
    for a, b, verdict in rows:
        assert (names_agree(a, b), names_agree(a, b, confirmed=True)) == said[verdict]
    assert {verdict for *_, verdict in rows} == said.keys()


@given(ANY_NAME, ANY_NAME, st.booleans())
def test_comparing_is_symmetric(a: str, b: str, confirmed: bool) -> None:
    """Whichever name came first, the verdict is the same."""
    assert names_agree(a, b, confirmed=confirmed) is names_agree(b, a, confirmed=confirmed)


@given(ANY_NAME, st.booleans())
def test_a_name_never_disagrees_with_itself(name: str, confirmed: bool) -> None:
    """Nor with itself in capitals and padded."""
    assert names_agree(name, name, confirmed=confirmed) is not False


@given(ANY_NAME, ANY_NAME)
def test_confirmation_only_forgives(a: str, b: str) -> None:
    """A birth date and a sex that are equal never set two names apart."""
    if names_agree(a, b) is not False:
        assert names_agree(a, b, confirmed=True) is names_agree(a, b)


def test_leaving_out_is_not_transitive() -> None:
    """A family name alone agrees with two persons who disagree."""
    assert names_agree("Doe^Jane", "Doe") and names_agree("Doe", "Doe^Mary")
    assert names_agree("Doe^Jane", "Doe^Mary") is False


def test_a_name_without_end_is_compared_soon() -> None:
    """Nobody stops the agent with thousands of words."""
    one, other = "xyz " + "a " * 100_000, "uvw " + "a " * 100_000
    assert names_agree(f"{one}^{one}", f"{other}^{other}", confirmed=True) is False


@pytest.mark.parametrize(
    ("others", "found"),
    [
        ((), False),
        (("Roe^Jane", "Poe^Jane"), True),
        (("POE",), True),
        (("^Jane",), False),
        (("",), False),
        (("Пое^Яна",), False),
        (("Poe^Mary",), False),
        (("Poey^Jane",), False),
    ],
)
def test_former_names(others: tuple[str, ...], found: bool) -> None:
    """A name is a former one where a family name shows it; what cannot be compared is none."""
    assert names_match("POE^JANE", others) is found


@pytest.mark.parametrize(
    ("name", "other", "found"),
    [
        ("POE^JANE", "Poe^Jane", True),
        ("POE^JANE", "Poe", False),
        ("POE", "Poe^Jane", False),
        ("POE^JANE", "Jane Poe", True),
        ("POE^JANE", "Roe^Jane", False),
        ("=山田^花子", "Yamada^Tarou=山田", False),
        ("=山田^花子", "Yamada^Hanako=山田^花子", True),
        ("POE^JANE", "", False),
    ],
)
def test_former_names_in_full(name: str, other: str, found: bool) -> None:
    """A family name alone shows nothing of who among all of that name is meant."""
    assert names_match_in_full(name, [other]) is found


@pytest.mark.parametrize(
    ("name", "equal"),
    [
        ("doe^jane", True),
        (" DOE ^ JANE ^^ = \0", True),
        ("ＤＯＥ^ＪＡＮＥ", True),
        ("DOE^JANE^M", False),
        ("DOE^JANÉ", False),
        ("DOE-^JANE", False),
        ("DOE^^JANE", False),
        ("DOE^JANE=山田", False),
        ("=DOE^JANE", False),
    ],
)
def test_equal_but_for_its_form(name: str, equal: bool) -> None:
    """Case, padding and width are form; a letter, a mark or another place is a correction."""
    assert (normalised(name) == normalised("DOE^JANE")) is equal


def test_half_width_katakana_is_a_form() -> None:
    """JIS X 0201 and JIS X 0208 write one name."""
    assert normalised("ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎") == normalised("ヤマダ^タロウ=山田^太郎")


@given(ANY_NAME)
def test_the_normal_form_is_its_own(name: str) -> None:
    """Normalising twice changes nothing, and capitals and padding never count."""
    assert normalised(normalised(name)) == normalised(name)
    assert normalised(f" {name} ^^=\0") == normalised(name)


@pytest.mark.parametrize(
    ("a", "b", "letters"),
    [("", "", 0), ("", "abc", 3), ("abcd", "abdc", 1), ("abcd", "xabc", 2), ("ca", "abc", 3), (LOST, "a", 0)],
)
def test_distance(a: str, b: str, letters: int) -> None:
    """Letters inserted, removed, replaced or exchanged with their neighbour; one that was lost is any."""
    assert distance(a, b) == distance(b, a) == letters
