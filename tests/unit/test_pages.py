import re
from runpy import run_path

import pytest

from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from tests.peers import ROOT, shared


@pytest.mark.parametrize("name", ["configuration", "clinical_facts", "roles"])
def test_committed_page_is_what_the_code_renders(name: str) -> None:
    """Pages made from the code are committed as it renders them, never edited: `make docs`."""
    script = run_path(str(ROOT / "docs" / f"make_{name}.py"))
    assert script["PAGE"].read_text(encoding="utf-8") == script["render"]()


def test_committed_roles_of_public_files_are_what_the_table_says() -> None:
    """Every public file, line by line: `python docs/make_roles.py FOLDER`."""
    folder = shared("data", "dicom")
    script = run_path(str(ROOT / "docs" / "make_roles.py"))
    assert script["PUBLIC"].read_text(encoding="utf-8") == script["render_public"](folder)


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    """Relative links in README, docs and models/README.md name files that are there."""
    pages = [ROOT / "README.md", ROOT / "models/README.md", *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_change_says_of_which_kind_it_is() -> None:
    """As the folder's README asks; at a release they are sorted by it."""
    changes = [path for path in (ROOT / "changelog.d").glob("*.md") if path.name != "README.md"]
    assert changes
    kinds = ("Added: ", "Changed: ", "Fixed: ", "Removed: ")
    assert [path.name for path in changes if not path.read_text(encoding="utf-8").startswith(kinds)] == []


def test_the_conformance_statement_says_who_we_are() -> None:
    """Implementation Class UID and Version Name stand there as they are announced."""
    page = (ROOT / "docs/conformance.md").read_text(encoding="utf-8")
    assert f"| `{IMPLEMENTATION_CLASS_UID}` |" in page
    assert f"| `{IMPLEMENTATION_VERSION_NAME}` |" in page
