import re
from runpy import run_path

import pytest

from tests.peers import ROOT


@pytest.mark.parametrize("name", ["configuration", "clinical_facts"])
def test_committed_page_is_what_the_code_renders(name: str) -> None:
    """Pages made from the code are committed as it renders them, never edited: `make docs`."""
    script = run_path(str(ROOT / "docs" / f"make_{name}.py"))
    assert script["PAGE"].read_text(encoding="utf-8") == script["render"]()


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
