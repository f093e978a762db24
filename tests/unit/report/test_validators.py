"""What others say of our objects: dicom3tools and DCMTK."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import UltrasoundMultiFrameImageStorage

from agent.core.prediction import NoEstimate, Side
from agent.core.result import Result, SourceImage
from agent.report.compose import Composer
from tests import builders, peers
from tests.unit.report import scenes
from tests.unit.report.conftest import Read


def results(views: Sequence[SourceImage]) -> dict[str, Result]:
    """Return one result of each kind."""
    one = [views[1]]
    return {
        "one": builders.result(None, one),
        "bilateral": builders.result([builders.estimate("L"), builders.estimate("R", 0.04)], views),
        "mixed": builders.result([builders.estimate("L"), NoEstimate(Side.R, "no facts")], views),
        "none": builders.result([NoEstimate(Side.L, "no facts")], one),
        "facts": builders.result(None, [], []),
        "complete": builders.result(None, one, modalities_missing=(), site_prevalence=0.25),
    }


def written(tmp_path: Path, composer: Composer, result: Result, views: Sequence[SourceImage]) -> list[Path]:
    """Write the objects of a result to files; those of version 2, so that they name predecessors."""
    before = {o.role: o.reference for o in composer(result, views)}
    paths = []
    for o in composer(replace(result, version=2, predecessors=before), views):
        paths.append(tmp_path / f"{o.role.replace(':', '-')}.dcm")
        paths[-1].write_bytes(o.encoded)
    return paths


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    """Run a program."""
    return subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)


@pytest.mark.parametrize("one_series", [False, True])
def test_dciodvfy_finds_no_error_of_ultrasound_and_mr(tmp_path: Path, composer: Composer, *, one_series: bool) -> None:
    """Four modalities and a clip, whose frame carries the region; a dynamic MR, whose region lies on our capture."""
    program = peers.program("dciodvfy")
    if one_series:
        images = scenes.dynamic(one_series=True)
        found = [scenes.mr_influence(images[4], side) for side in "LR"]
        answers = [builders.estimate("L", 0.3), builders.estimate("R", 0.6)]
        result = builders.result(answers, images, found, **scenes.ALL)
    else:
        result, images = scenes.everything()
        clip = scenes.source(
            scenes.ultrasound(number=9, SOPClassUID=UltrasoundMultiFrameImageStorage, BodyPartExamined="AXILLA"),
            frame=6,
            frames=12,
        )
        found = [*result.influences, builders.influence(clip, 50, 40, contribution=2.0)]
        result, images = replace(result, used=(*result.used, clip.instance), influences=tuple(found)), [*images, clip]
    for path in written(tmp_path, composer, result, images):
        said = run(program, "-new", str(path)).stderr.splitlines()
        assert [line for line in said if line.startswith("Error")] == []
        assert [line for line in said if line.startswith("Warning") and "99SENTINODE" not in line] == []


@pytest.mark.parametrize("kind", ["one", "bilateral", "mixed", "none", "facts", "complete"])
def test_dciodvfy_finds_no_error(tmp_path: Path, composer: Composer, views: Sequence[SourceImage], kind: str) -> None:
    """No Error of any object of any result, and no warning but on our private codes."""
    program = peers.program("dciodvfy")
    for path in written(tmp_path, composer, results(views)[kind], views):
        said = run(program, "-new", str(path)).stderr.splitlines()
        assert [line for line in said if line.startswith("Error")] == []
        rest = [line for line in said if line.startswith("Warning") and "99SENTINODE" not in line]
        assert rest == []


def test_dciodvfy_can_find_one(tmp_path: Path, objects: Read) -> None:
    """The check above can fail: a capture of a paired organ without a side is an Error."""
    ds = objects["secondary_capture:L:1"]
    del ds.ImageLaterality
    ds.save_as(tmp_path / "broken.dcm")
    assert "Error" in run(peers.program("dciodvfy"), "-new", str(tmp_path / "broken.dcm")).stderr


@pytest.mark.parametrize("kind", ["one", "bilateral", "none"])
def test_dcmtk_reads_the_documents(tmp_path: Path, composer: Composer, views: Sequence[SourceImage], kind: str) -> None:
    """Both kinds of SR are dumped and rendered; the page holds the answer."""
    dump, render = peers.program("dsrdump"), peers.program("dsr2html")
    for path in written(tmp_path, composer, results(views)[kind], views):
        if path.name.startswith("secondary"):
            continue
        assert run(dump, "+Pn", str(path)).returncode == 0
        page = path.with_suffix(".html")
        assert run(render, str(path), str(page)).returncode == 0
        if path.name.startswith("text"):
            assert "axilla: " in page.read_text("utf-8")
