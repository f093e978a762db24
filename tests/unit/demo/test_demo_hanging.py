"""How the page hangs the images that were sent."""

import random
from datetime import date
from functools import cache

import numpy as np
import pytest
from pydicom.dataset import Dataset

from demo.chest_ct import chest_ct
from demo.hanging import caption, hung
from demo.pictures import thumbnails
from models import phantom

WHO = phantom.patient(1, "P-0001", sides=("L", "R"), diagnosed_on=date(2026, 1, 1))
MAKERS = {
    "MG": (phantom.mammography, ["R CC", "L CC", "R MLO", "L MLO"]),
    "US": (phantom.ultrasound_study, ["right breast", "right axilla", "left breast", "left axilla"]),
    "MR": (phantom.mri_study, ["pre", "post 1", "post 2", "post 3"]),
    "CT": (chest_ct, ["slice 2", "slice 4", "slice 6", "slice 8"]),
}


@cache
def study(modality: str) -> list[Dataset]:
    """Return the images of a study, made when the first test wants them."""
    make, _ = MAKERS[modality]
    return list(make(WHO, date(2026, 1, 2)))


@pytest.mark.parametrize("modality", MAKERS)
def test_images_hang_in_their_order(modality: str) -> None:
    """Whatever the order in which they came; the caption says what each is."""
    images = list(study(modality))
    random.Random(3).shuffle(images)
    assert [caption(ds) for ds in hung(thumbnails(images))] == MAKERS[modality][1]


def test_breasts_hang_back_to_back() -> None:
    """The right breast lies at the right edge of its image, the left at the left edge of the one beside it."""

    def weight_at_left(ds: Dataset) -> bool:
        brightness = np.asarray(ds.pixel_array, float).mean(axis=0)
        half = len(brightness) // 2
        return bool(brightness[:half].mean() > brightness[half:].mean())

    assert [weight_at_left(ds) for ds in hung(study("MG"))] == [False, True, False, True]


def test_image_without_a_view_hangs_last() -> None:
    """A header may say less; what it says still stands below the image."""
    bare = Dataset()
    bare.Modality, bare.ImageLaterality = "MG", "R"
    assert [caption(ds) for ds in hung([bare, *study("MG")])][-1] == "R"
