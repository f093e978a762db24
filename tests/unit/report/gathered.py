"""Every sentence that other rooms make and a report says, from where it is made."""

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from inspect import getsource
from types import FunctionType, ModuleType
from typing import Any

from agent.assemble import circle, inquire
from agent.core import eligibility, evidence, fact_rows, facts, usable
from agent.core.assessed import DISSECTION, FUTURE, TREATMENTS
from agent.core.clinical import ClinicalFacts, Fact
from agent.core.demographics import Demographics
from agent.core.eligibility_rules import RULES
from agent.core.evidence import Counted, Observed, Patience
from agent.core.fact_values import RefusedValueError, day
from agent.core.facts import FACTS
from agent.core.prediction import Side
from agent.core.role_rules import BUILT_IN
from agent.dicom import codestream, container, decoding, enhanced, geometry, inflating, pixels
from agent.infer import (
    admission,
    answer,
    compute,
    dynamic,
    mammograms,
    mri,
    question,
    selection,
    statement,
    ultrasound,
)
from agent.preprocess import mri as preprocess_mri
from agent.preprocess import placement
from agent.preprocess import ultrasound as preprocess_ultrasound
from agent.spool import reader, walk
from tests import builders
from tests.peers import ROOT

NOW = datetime(2026, 1, 6, 9, 30, tzinfo=UTC)
EVENTS = (*TREATMENTS.values(), DISSECTION)
READING = (
    *(pixels, decoding, geometry, enhanced, codestream, container, inflating),
    *(preprocess_mri, preprocess_ultrasound, placement, reader, walk),
)
INFER = (admission, answer, compute, dynamic, mammograms, mri, statement, ultrasound)
SAMPLES = {"modality": "MR", "held": " and 7 frames"}
REFUSALS = {"Rejected", "Unsuited"}
CLINICAL = (  # the bundle that `make models-tables` writes, which is not there before
    "any axillary lymph-node metastasis at surgery (isolated tumour cells do not count)",
    "2061 patients of METABRIC and TCGA-BRCA",
)


def every_sentence() -> set[str]:
    """Return what can stand in `Result.evidence`, as a reason of an answer or of something left out."""
    found = {
        *(rule.reason for rule in RULES),
        *(f"{rule.reason} [{rule.id}]" for rule in BUILT_IN.rules if rule.left_out or not rule.role),
        *(eligibility.APART, eligibility.NO_IMAGE, circle.OTHER_PERSON, circle.OTHER_PATIENT_ID),
        *(f"became known on or after {event}" for event in EVENTS),
        *(facts.AFTER_SURGERY, facts.OUTCOME, FUTURE, *facts.SIDE_UNSAID.values()),
        *bounds(),
        *refused_facts(),
        *unusable_images(),
        *completeness(),
        *(text for module in INFER for text in constants(module)),
        *(text for module in (*READING, *INFER) for text in raised(module)),
        *written_in(compute._refusal),
        *written_in(selection.refusal),
        *(text for text in written_in(question.read_findings) if "side of the cancer" in text),
        *(text for text in written_in(inquire._not_fetched) if text[0].isupper() or text[0].isdigit()),
        f"Outside the range of the training data: {', '.join(('age', 'ki67_percent'))}.",
        *(builders.MODEL.label, builders.DEMONSTRATION_MODEL.training_summary),
        *bundles(),
        *CLINICAL,
    }
    return found - {""}


def bounds() -> Iterator[str]:
    """Why the days and the identity of images speak against an estimate."""
    asked = eligibility.Eligibility(asked=True, reason="", axillae=(), cutoff=date(2026, 1, 1))
    for event in TREATMENTS.values():
        for days in ([], [date(2026, 1, 2)]):
            yield eligibility.bound_by_images(replace(asked, cutoff_by=event), days).reason
    known = ClinicalFacts({"birth_date": Fact(date(1970, 1, 1), NOW.date()), "sex": Fact("F", NOW.date())})
    for born, sex in ((date(1971, 1, 1), "F"), (date(1970, 1, 1), "M"), (date(1971, 1, 1), "M")):
        yield eligibility.bound_by_identity(asked, known, [Demographics("", born, sex)]).reason


def refused_facts() -> Iterator[str]:
    """Why facts are not read."""
    yield from (fact_rows.SAME_DAY, fact_rows.FUTURE, fact_rows.UNKNOWN)
    yield "age at diagnosis outside {} to {}".format(*fact_rows.AGE_AT_DIAGNOSIS)
    rows: list[dict[str, Any]] = [{"grade": 2}, {"name": "grade", "value": "2", "date": None}]
    rows += [{"grade": 2, "grade_date": "x"}, {"grade": 2, "grade_date": "2026-02-30"}]
    identity = {"patient_id": builders.PATIENT.patient_id, "issuer_of_patient_id": builders.PATIENT.issuer}
    for row in (*({**identity, **row} for row in rows), {"patient_id": "another"}):
        yield from (refusal.reason for refusal in fact_rows.parse_rows([row], builders.PATIENT).refused)
    for read in (day, *(rule.kind.parse for rule in FACTS.values())):
        for raw in (object(), "?", "2026-02-30", -1e9, 1.5, 10**6, "pT1", float("nan")):
            try:
                read(raw)
            except RefusedValueError as refused:
                yield str(refused)


def unusable_images() -> Iterator[str]:
    """Why an image does not bear on the question."""
    yield usable.ONE_BREAST
    yield from written_in(usable._outside)
    yield from (
        text for text in written_in(usable.unusable) if " " in text and text != "FOR PROCESSING" and "7" not in text
    )
    image = builders.instance_of(builders.mammogram())
    yield from (usable.unusable(replace(image, laterality=s), (), usable.Window()) for s in Side)


def completeness() -> Iterator[str]:
    """What a complete case rests on."""
    patience = Patience(timedelta(seconds=60), ("MG", "US"), {"US": timedelta(hours=4)}, views=("CC", "MLO"))
    observed = Observed(NOW - timedelta(days=1), NOW - timedelta(hours=9), False, frozenset({"MG"}), facts_known=False)
    counts = (
        Counted("MG", 4, 1, stable=True, counted_at=NOW),
        Counted("MR", 4, 0, stable=False, counted_at=NOW, acquired_on=date(2026, 1, 4)),
        Counted("US", 0, 0, stable=True, counted_at=NOW),
        Counted("", 0, 0, stable=True, counted_at=NOW),
        Counted("", 0, 0, stable=False, counted_at=None),
    )
    observed = replace(observed, counts=counts, missing_views=("left MLO", "right CC"))
    for more in (replace(patience, wait_for_facts=False), replace(patience, wait_for={}, wait_for_facts=False)):
        verdict = evidence.judge(observed, replace(more, counts_wait=timedelta(hours=1)), NOW)
        assert verdict.complete
        yield from verdict.sentences


def bundles() -> Iterator[str]:
    """What the committed bundles say of themselves."""
    for manifest in sorted((ROOT / "models" / "bundles").glob("*/manifest.json")):
        said = json.loads(manifest.read_text(encoding="utf-8"))
        yield from (said["label"], said["training"]["summary"])


def constants(module: ModuleType) -> Iterator[str]:
    """Return the sentences that a module names."""
    found = {name: value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)}
    yield from (text for text in found.values() if " " in text)


def written_in(function: FunctionType) -> Iterator[str]:
    """Return the sentences that stand in a function, with a sample at each placeholder."""
    tree = ast.parse(getsource(function))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and id(node) not in inside | docs):
            yield from (text for text in [sample(node)] if " " in text)


def raised(module: ModuleType) -> Iterator[str]:
    """Return what a module says of an image that it refuses, with a sample at each placeholder."""
    for node in ast.walk(ast.parse(getsource(module))):
        name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if name in REFUSALS or (name in ("Permanent", "SegmentGone") and module in (reader, walk)):
            said = "" if "{name}" in ast.unparse(node.args[0]) else sample(node.args[0])
            yield from (said, said.replace(SAMPLES["held"], ""))
        elif name == "rejecting":
            yield f"{sample(node.args[0])} (ValueError)"
        elif name == "_floats":
            yield from (f"no {sample(node.args[2])}", f"{sample(node.args[2])} is not 7 numbers")


def sample(node: ast.AST) -> str:
    """Return a text as it might come out: names of modalities and numbers at the placeholders."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.FormattedValue):
        return SAMPLES.get(ast.unparse(node.value).rpartition(".")[2], "7")
    if isinstance(node, ast.JoinedStr):
        return "".join(map(sample, node.values))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
        return sample(node.func.value).replace("{}", "7")
    return ""  # the words of another error: raised elsewhere
