"""The gate: rules that every finished object keeps, or nothing of the result is sent.

Each was learnt from a viewer or a validator; what breaks one would be shown wrongly, or not at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.core.errors import Permanent
from agent.core.result import Kind
from agent.report import (
    rules_attributes,
    rules_capture,
    rules_codes,
    rules_common,
    rules_context,
    rules_display,
    rules_group,
    rules_iod,
    rules_key_object,
    rules_picture,
    rules_presentation_state,
    rules_region,
    rules_reserve,
    rules_segmentation,
    rules_set,
    rules_sr,
    rules_stated,
    rules_text,
    rules_tree,
    rules_value,
)
from agent.report.draft import Draft
from agent.report.levels import Level, levels
from agent.report.slot import Finished


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, the kinds of object that it is for, and whether an object keeps it."""

    holds: Callable[[Draft, Finished], bool]
    kinds: frozenset[Kind]

    @property
    def name(self) -> str:
        """The name that a refusal gives."""
        return self.holds.__name__


ALL: Final = frozenset(Kind)
DOCUMENTS: Final = frozenset({Kind.SR, Kind.TEXT_SR})
KEY_OBJECTS: Final = frozenset({Kind.KEY_OBJECT, Kind.REJECTION})
FOR_SR: Final = (*rules_sr.RULES, *rules_stated.RULES, *rules_group.RULES, *rules_region.FOR_SR)
FOR_STATES: Final = (*rules_presentation_state.RULES, *rules_region.FOR_STATES, *rules_display.RULES)
RULES: Final = (
    *(Rule(holds, ALL) for holds in rules_common.FOR_ALL),
    *(Rule(holds, DOCUMENTS) for holds in rules_common.FOR_DOCUMENTS),
    *(Rule(holds, DOCUMENTS) for holds in rules_stated.FOR_BOTH),
    *(Rule(holds, frozenset({Kind.SR})) for holds in FOR_SR),
    *(Rule(holds, frozenset({Kind.TEXT_SR})) for holds in rules_text.RULES),
    *(Rule(holds, DOCUMENTS) for holds in (*rules_context.FOR_DOCUMENTS, *rules_tree.FOR_DOCUMENTS)),
    *(Rule(holds, DOCUMENTS | KEY_OBJECTS) for holds in rules_tree.FOR_TREES),
    *(Rule(holds, frozenset({Kind.SECONDARY_CAPTURE})) for holds in (*rules_capture.RULES, *rules_picture.RULES)),
    *(Rule(holds, frozenset({Kind.SEGMENTATION})) for holds in rules_segmentation.RULES),
    *(Rule(holds, frozenset({Kind.PRESENTATION_STATE})) for holds in FOR_STATES),
    *(Rule(holds, frozenset(rules_attributes.ATTRIBUTES)) for holds in rules_attributes.RULES),
    *(Rule(holds, KEY_OBJECTS) for holds in (rules_common.no_finding_of_disease, *rules_key_object.FOR_BOTH)),
    *(Rule(holds, KEY_OBJECTS) for holds in rules_context.FOR_KEY_OBJECTS),
    *(Rule(holds, frozenset({Kind.KEY_OBJECT})) for holds in rules_key_object.FOR_KEY_OBJECTS),
    *(Rule(holds, frozenset({Kind.REJECTION})) for holds in rules_key_object.FOR_REJECTIONS),
)
OF_ATTRIBUTES: Final = (*rules_codes.RULES, *rules_iod.CONDITIONAL)
SET_RULES: Final = (*rules_set.RULES, *rules_reserve.RULES, *rules_region.TOGETHER)


def validate(draft: Draft, finished: Sequence[Finished], *, alone: bool = False) -> None:
    """Check all objects of a result; `alone` if they are only what rejects earlier versions.

    Raises
    ------
    Permanent
        If one breaks a rule; the message names the rule, the object's role and, of the standard's own rules, the
        attribute: never a value.
    """
    for one in finished:
        validate_one(draft, one)
    validate_together(draft, finished, alone=alone)


def validate_one(draft: Draft, one: Finished) -> None:
    """Check one object by itself. Raises Permanent as `validate` does."""
    whole = levels(one.ds)
    _conforms((*rules_iod.PRESENCE, *rules_value.RULES), draft, one, whole)
    for rule in RULES:
        if one.slot.kind in rule.kinds and not rule.holds(draft, one):
            raise Permanent(f"{one.slot.role} breaks the rule {rule.name}")
    _conforms(OF_ATTRIBUTES, draft, one, whole)


def validate_together(draft: Draft, finished: Sequence[Finished], *, alone: bool = False) -> None:
    """Check what objects are to one another. Raises Permanent as `validate` does."""
    for holds in rules_iod.TOGETHER if alone else (*SET_RULES, *rules_iod.TOGETHER):
        if not holds(draft, finished):
            raise Permanent(f"the objects together break the rule {holds.__name__}")


def _conforms(rules: Sequence[rules_iod.Breaks], draft: Draft, one: Finished, whole: Sequence[Level]) -> None:
    for breaks in rules:
        for attribute in breaks(draft, one, whole):
            raise Permanent(f"{one.slot.role} breaks the rule {breaks.__name__}: {attribute}")
