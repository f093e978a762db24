"""What an image is to a question, told by its header: rules in order, the first that holds decides.

The table itself is `agent.core.role_rules`. A site's own rules come before it, behind those that protect a patient.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from agent.core.instance import Instance

ROLES: Final[Mapping[str, str]] = {
    "mg.cc": "mammogram, cranio-caudal",
    "mg.mlo": "mammogram, medio-lateral oblique",
    "us.tumour": "ultrasound of the tumour",
    "us.node": "ultrasound of an axillary node",
    "us.unknown": "ultrasound of the breast or axilla, not said of which",
    "mr.dce": "MR, which may be a phase of a dynamic series",
    "sm.node": "slide of a lymph node",
    "sm.primary": "slide of the primary tumour",
}
"""Every role and what it is. The part before the dot is the modality's, in small letters."""

ANY: Final = ""
"""Instead of a modality: whatever the object says of it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that a header can say: in words, and as a test."""

    words: str
    holds: Callable[[Instance], bool]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table. All of `when` must hold; no conditions: it always holds."""

    id: str
    modality: str  # or ANY
    when: tuple[Condition, ...]
    role: str  # empty: refused
    reason: str  # in words of a radiographer
    left_out: bool = False  # the role is known and the case holds the image, but no model is given it

    def holds(self, instance: Instance) -> bool:
        """Whether the rule says what an instance is."""
        return self.modality in (ANY, instance.modality) and all(one.holds(instance) for one in self.when)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one object is, and the rule which says so."""

    rule: str
    role: str  # empty: refused
    reason: str
    left_out: bool = False

    @property
    def refusal(self) -> str:
        """Why no case takes the object, with the rule that says so; empty if its role is known."""
        return "" if self.role else f"{self.reason} [{self.rule}]"

    @property
    def unused(self) -> str:
        """Why no model is given the object, with the rule that says so; empty if one can be."""
        return f"{self.reason} [{self.rule}]" if self.left_out else self.refusal


_RULE: Final = re.compile(r"\[([A-Za-z]{2,4}-\d+)\]$")


def rule_in(reason: str) -> tuple[str, str]:
    """Split a reason of `Verdict.refusal` into the rule, empty where none stands there, and the rest."""
    found = _RULE.search(reason)
    return (found[1], reason[: found.start()].rstrip()) if found else ("", reason)


MATCHED: Final[Mapping[str, Callable[[Instance], Sequence[str]]]] = {
    "study_description": lambda i: (i.traits.study_description, i.traits.procedure),
    "series_description": lambda i: (i.traits.series_description,),
    "protocol_name": lambda i: (i.traits.protocol_name,),
    "body_part": lambda i: (i.traits.body_part,),
    "anatomy": lambda i: i.traits.anatomy,
    "comments": lambda i: i.traits.comments,
    "view": lambda i: (i.view_position,),
    "image_type": lambda i: ("\\".join(i.traits.image_type),),
    "specimen": lambda i: i.traits.specimen,
    "station_name": lambda i: (i.traits.station,),
    "scanner": lambda i: (i.traits.scanner,),
    "sop_class_uid": lambda i: (i.sop_class_uid,),
}
"""What a site's rule can look at."""


@dataclass(frozen=True)
class SiteRule:
    """A site's own rule.

    `match` holds wildcards by what they are compared with, a key of `MATCHED`: `*` stands for any letters, `?` for
    one, and case does not count. All of them must fit. Without a role the object is refused.
    """

    modality: str
    match: Mapping[str, str]
    role: str
    reason: str

    def as_rule(self, number: int) -> Rule:
        """Return it as a row of the table."""
        conditions = tuple(_fits(name, pattern) for name, pattern in self.match.items())
        return Rule(f"site-{number}", self.modality, conditions, self.role, self.reason)


def _fits(name: str, pattern: str) -> Condition:
    escaped = re.escape(re.sub(r"\*+", "*", pattern.strip())).replace(r"\*", ".*").replace(r"\?", ".")
    whole = re.compile(escaped, re.IGNORECASE | re.DOTALL)
    texts = MATCHED[name]
    return Condition(f"{name} is {pattern}", lambda i: any(whole.fullmatch(text.strip()) for text in texts(i)))


@dataclass(frozen=True)
class RoleTable:
    """Rules in the order in which they are tried. The last one must always hold."""

    first: tuple[Rule, ...]  # what no site can change
    built_in: tuple[Rule, ...]
    site: tuple[SiteRule, ...] = field(default=())

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule: those that protect a patient, the site's own, the built-in ones."""
        return *self.first, *(rule.as_rule(n) for n, rule in enumerate(self.site, 1)), *self.built_in

    @cached_property
    def _by_modality(self) -> Mapping[str, tuple[Rule, ...]]:
        named = {rule.modality for rule in self.rules}
        return {m: tuple(rule for rule in self.rules if rule.modality in (ANY, m)) for m in named}

    def verdict(self, instance: Instance) -> Verdict:
        """Say what an instance is. It never fails, whatever the header says."""
        rules = self._by_modality.get(instance.modality, self._by_modality[ANY])
        rule = next(rule for rule in rules if rule.holds(instance))
        return Verdict(rule.id, rule.role, rule.reason, rule.left_out)
