from datetime import timedelta
from pathlib import Path

import pytest

from agent.config import Config, ConfigError, load_config
from tests.peers import ROOT

SHIPPED = ROOT / "config.yaml"


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    """Write the shipped file with some of its text replaced."""
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """Load the changed file and return its mistakes, a line each, without the file's name."""
    path = write(folder, *changes)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def test_shipped_file_is_valid() -> None:
    """The file that ships is valid as it is."""
    config = load_config(SHIPPED).config
    assert config.dicom.bind == "127.0.0.1"
    assert config.cases.wait_for == {"MG": timedelta(hours=4)}
    assert config.storage.spool_bytes == 20 * 2**30


def test_relative_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    """Relative paths and SQLite files start at the folder of config.yaml, wherever the agent was started."""
    config = load_config(write(tmp_path)).config
    assert config.storage.spool == tmp_path / "var/spool"
    assert config.database.url == f"sqlite:///{tmp_path}/var/sentinode.db"
    assert config.ehr.query == tmp_path / "sql/ehr/clinical_facts.sql"
    assert config.ehr.outcomes_query is None
    assert config.models[0].bundle == tmp_path / "models/bundles/aln-demo-2.0.0"


def test_the_query_of_outcomes_starts_at_the_folder_of_the_file_too(tmp_path: Path) -> None:
    """Where there is one."""
    path = write(tmp_path, ("timeout_s: 5\n", "timeout_s: 5\n  outcomes_query: outcomes.sql\n"))
    assert load_config(path).config.ehr.outcomes_query == tmp_path / "outcomes.sql"


def test_other_databases_keep_their_url(tmp_path: Path) -> None:
    """A URL that is not an SQLite file is left alone."""
    url = "postgresql+psycopg://sentinode@db/sentinode"
    path = write(tmp_path, ("sqlite:///var/sentinode.db   #", f"{url}   #"))
    assert load_config(path).config.database.url == url


def test_unknown_key_is_named_with_its_place_and_a_suggestion(tmp_path: Path) -> None:
    """A misspelt key gives one line: where it stands, and what was probably meant."""
    lines = problems(tmp_path, ("quiet_s: 60", "quite_s: 60"))
    assert len(lines) == 1
    line, _, rest = lines[0].partition(":")
    assert SHIPPED.read_text().splitlines()[int(line) - 1].strip().startswith("quiet_s")
    assert rest == "3: cases.quite_s: unknown key; did you mean 'quiet_s'?"


def test_misspelt_required_key_is_one_mistake_not_two(tmp_path: Path) -> None:
    """The missing key is not reported beside the misspelt one."""
    lines = problems(tmp_path, ("port: 4242", "prot: 4242"))
    assert len(lines) == 1
    assert lines[0].endswith("destinations[0].prot: unknown key; did you mean 'port'?")


def test_key_unlike_any_other_gets_no_suggestion(tmp_path: Path) -> None:
    """A key that resembles nothing is only called unknown."""
    assert problems(tmp_path, ("site:\n", "site:\n  zzz: 1\n"))[0].endswith("site.zzz: unknown key")


@pytest.mark.parametrize("port", ["0", "65536", "eleven", "11112.0", '"11112"', "0777"])
def test_bad_port_is_one_line_with_its_key(tmp_path: Path, port: str) -> None:
    """A port that is not a whole number from 1 to 65535 is refused at its place."""
    lines = problems(tmp_path, ("port: 11112", f"port: {port}"))
    assert len(lines) == 1
    assert ": dicom.port: " in lines[0]


def test_missing_key_points_at_the_part_that_lacks_it(tmp_path: Path) -> None:
    """A required key that is absent is reported at the section that should hold it."""
    lines = problems(tmp_path, ("  name: Example Hospital\n", ""))
    assert lines[0].endswith("site.name: this key is required")


def test_repeated_key_is_refused(tmp_path: Path) -> None:
    """YAML would keep the last of two equal keys in silence."""
    lines = problems(tmp_path, ("  ae_title: SENTINODE\n", "  ae_title: SENTINODE\n  ae_title: OTHER\n"))
    assert lines[0].endswith("dicom.ae_title: this key stands here twice")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("quiet_s: 60", "quiet_s: 12:30:00", "cases.quiet_s"),
        ("report_no_estimate: true", "report_no_estimate: 0777", "cases.report_no_estimate"),
        ("{MG: 4h}", "{MG: 4 fortnights}", "cases.wait_for.MG"),
        ("host: 127.0.0.0/8", "host: not-a-network", "dicom.peers[1].host"),
        ("confirm: commitment", "confirm: hope", "destinations[0].confirm"),
        ("device: auto", "device: tpu", "models[0].device"),
        ("level: info", "level: loud", "operate.log.level"),
        ("ae_title: SENTINODE", "ae_title: A-TITLE-THAT-IS-TOO-LONG", "dicom.ae_title"),
    ],
)
def test_bad_value_is_named_by_its_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    """Every kind of bad value gives exactly one line with the key."""
    lines = problems(tmp_path, (old, new))
    assert len(lines) == 1
    assert f": {key}: " in lines[0]


def test_text_that_looks_like_a_yaml_1_1_boolean_stays_text(tmp_path: Path) -> None:
    """`name: off` is a name, not False."""
    assert load_config(write(tmp_path, ("name: Example Hospital", "name: off"))).config.site.name == "off"


@pytest.mark.parametrize("text", ["- a\n- b\n", "", "a: [1\n", "\x00"])
def test_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is not a YAML mapping is one line, whatever it is."""
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(str(path))
    assert len(str(caught.value).splitlines()) == 1


def test_missing_file_is_said(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.yaml")


def test_overrides_change_only_their_keys_and_keep_their_place(tmp_path: Path) -> None:
    """Overrides are merged key by key, lists are replaced, and a mistake in them points into them."""
    over = tmp_path / "over.yaml"
    over.write_text("dicom:\n  port: 104\n  peers: []\n", encoding="utf-8")
    loaded = load_config(write(tmp_path), [over])
    assert (loaded.config.dicom.port, loaded.config.dicom.peers) == (104, ())
    assert loaded.config.dicom.ae_title == "SENTINODE"
    assert loaded.problem(("dicom", "port"), "is taken") == f"{over}:2:3: dicom.port: is taken"
    over.write_text("dicom: {port: 0}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"{over}:1:9: dicom.port"):
        load_config(write(tmp_path), [over])


def test_demo_overrides_are_valid() -> None:
    """The demo's few overrides fit the shipped file."""
    config = load_config(SHIPPED, [ROOT / "demo/overrides.yaml"]).config
    assert config.destinations[0].confirm == "read_back"
    assert (ROOT / "demo/out").resolve() in config.storage.spool.parents


def test_config_cannot_be_changed() -> None:
    """The configuration is frozen."""
    config = load_config(SHIPPED).config
    with pytest.raises(ValueError, match="frozen"):
        config.site.name = "x"  # type: ignore[misc]
    assert isinstance(config, Config)


RULE = '- {modality: US, series_description: "*LAD*", role: us.node, reason: nodes}'


def with_roles(*lines: str) -> tuple[str, str]:
    """The shipped file's empty list of rules, replaced."""
    return "roles: []", "\n".join(("roles:", *(f"  {line}" for line in lines)))


def test_a_rule_of_the_site_is_read(tmp_path: Path) -> None:
    """With the patterns that it gives."""
    (rule,) = load_config(write(tmp_path, with_roles(RULE))).config.roles
    assert (rule.modality, rule.role, rule.match) == ("US", "us.node", {"series_description": "*LAD*"})


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("us.node", "us.nodes", "roles[1].role: write refused or one of mg.cc, "),
        ("us.node", "mg.cc", "roles[1]: mg.cc is no role of US"),
        ('series_description: "*LAD*", ', "", "roles[1]: give at least one pattern: study_description, "),
        ("series_description", "series_descripton", "roles[1].series_descripton: unknown key; did you mean"),
        ('"*LAD*"', '""', "roles[1].series_description: "),
        ("modality: US", "modality: XX", "roles[1].modality: "),
        ("reason: nodes", 'reason: ""', "roles[1].reason: "),
        ("reason: nodes", 'reason: "no\\x0bdes"', "roles[1].reason: write it without control characters"),
        ("reason: nodes", "reason: [nodes]", "roles[1].reason: "),
    ],
)
def test_a_mistake_in_a_rule_is_one_line_with_its_place(tmp_path: Path, old: str, new: str, mistake: str) -> None:
    """The line is that of the rule."""
    (line,) = problems(tmp_path, with_roles(RULE, RULE.replace(old, new)))
    number, _, rest = line.partition(":")
    there = (tmp_path / "config.yaml").read_text().splitlines()[int(number) - 1]
    assert there.strip().startswith(RULE.replace(old, new))
    assert rest.partition(": ")[2].startswith(mistake)


def test_hl7_section_that_ships_commented_out_is_valid(tmp_path: Path) -> None:
    """Without the section nothing listens; with it what stands there is what is meant."""
    assert load_config(SHIPPED).config.hl7 is None
    lines = SHIPPED.read_text(encoding="utf-8").splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.startswith("# hl7:"))
    path = tmp_path / "config.yaml"
    section = [line.removeprefix("# ") if line.startswith("# ") else line[1:] for line in lines[first : first + 7]]
    path.write_text("".join([*lines[:first], *section, *lines[first + 7 :]]), encoding="utf-8")
    hl7 = load_config(path).config.hl7
    assert hl7 is not None
    assert (hl7.port, hl7.issuers, hl7.max_message_bytes) == (2575, {"HOSP": "EXAMPLE"}, 2**20)
    assert hl7 == type(hl7)(issuers={"HOSP": "EXAMPLE"})


def test_hl7_network_that_is_none_is_named(tmp_path: Path) -> None:
    """Who may connect is said in CIDR form."""
    lines = problems(tmp_path, ("storage:\n", "hl7: {accept_from: [everybody]}\nstorage:\n"))
    assert [line.split(":", 2)[2].strip() for line in lines] == [
        "hl7.accept_from[0]: write an IP address or a network such as 192.0.2.0/24"
    ]
