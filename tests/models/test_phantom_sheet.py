"""The contact sheet of synthetic patients."""

from pathlib import Path

import numpy as np
from PIL import Image

from models.phantom.__main__ import main
from models.phantom.patient import patient
from models.phantom.sheet import CONTOUR, tiles, title


def test_a_sheet_is_drawn(tmp_path: Path) -> None:
    """A row for each patient, none of it empty."""
    main(["sheet", str(tmp_path / "sheet.png"), "--patients", "2", "--seed", "3"])
    with Image.open(tmp_path / "sheet.png") as sheet:
        rows = np.array_split(np.asarray(sheet.convert("L")), 2)
    assert all(row.std() > 20 for row in rows)
    assert not np.array_equal(*rows)


def test_ultrasound_shows_its_mask() -> None:
    """The contour of the mask is drawn on both ultrasound images, on no other."""
    shown = tiles(patient(3, "A"))
    drawn = [bool((tile.image == CONTOUR).all(-1).any()) for tile in shown]
    assert drawn == [tile.caption.startswith("US") for tile in shown]
    assert drawn.count(True) == 2


def test_the_title_says_how_it_ended() -> None:
    """Outcome, side and risks stand over a row; a risk near zero is not given as none."""
    someone = next(p for p in (patient(1, str(i), sides=("R",)) for i in range(50)) if p.outcomes["R"])
    assert title(4, someone).startswith("4  right axilla: metastasis")
    assert not any(" 0%" in title(0, patient(1, str(i))) for i in range(40))
