# ruff: noqa: D102 - the port describes its methods
"""Where bytes lie, in memory: the part of `tests.fakes.store` that `agent.state.residents` is in a database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from agent.core.identities import Standing
from agent.core.instance import GONE, SpoolRef
from agent.core.retention import Holder, OwedCopy, Resident
from tests.fakes.who_store import FakeWho

if TYPE_CHECKING:
    from tests.fakes.tables import Tables


class FakeResidents(FakeWho):
    """A part of `FakeUnit`."""

    _t: Tables

    def residents(self, segment: int, generation: int, *, to_change: bool = False) -> Sequence[Resident]:
        found = {}
        for variant in self._t.variants.values():
            waits = variant.standing is Standing.WAITING
            holders = self._holders(variant.instance.sop_instance_uid) if waits else ()
            found[variant.ref, waits] = Resident(variant.ref, holders, waits)
        for uid, stored in self._t.instances.items():
            found[stored.ref, False] = Resident(stored.ref, self._holders(uid))
        here = {key: one for key, one in found.items() if (key[0].segment, key[0].generation) == (segment, generation)}
        owed = [ref for ref in self._t.owed if (ref.segment, ref.generation) == (segment, generation)]
        read = [here[key] for key in sorted(here)]
        return sorted([*(Resident(ref, awaits_copy=True) for ref in owed), *read], key=lambda one: one.ref)

    def owe_copy(self, ref: SpoolRef, reason: str, at: datetime, *, is_unread: bool = False) -> None:
        self._t.owed.setdefault(ref, OwedCopy(ref, reason, at, is_unread=is_unread))

    def owed_copies(self) -> Sequence[OwedCopy]:
        return sorted(self._t.owed.values(), key=lambda one: (one.since, one.ref))

    def settle_copy(self, ref: SpoolRef) -> None:
        del self._t.owed[ref]

    def bound_hidden(self, ref: SpoolRef, until: int) -> None:
        if ref in self._t.owed:
            self._t.owed[ref] = replace(self._t.owed[ref], until=until)

    def give_up_copy(self, ref: SpoolRef, words: str) -> bool:
        if self._t.owed.pop(ref, None) is None:
            return False
        arrival = self._t.arrivals[ref]
        self._t.arrivals[ref] = replace(arrival, reason=f"{arrival.reason}; {words}")
        return True

    def take_back(self, ref: SpoolRef) -> bool:
        if self._t.owed.pop(ref, None) is None:
            return False
        self._t.arrivals.pop(ref, None)
        return True

    def _holders(self, uid: str) -> tuple[Holder, ...]:
        holding = sorted(owner for owner, of in self._t.links if of == uid)
        cases = [self._t.cases[owner] for owner in holding]
        return tuple(Holder(one.case_uuid, one.version, one.state, one.changed_at) for one in cases)

    def move_bytes(self, places: Mapping[SpoolRef, SpoolRef]) -> None:
        for stored in list(self._t.instances.values()):
            if stored.ref in places:
                self._replace(replace(stored, ref=places[stored.ref]))
        for number, variant in self._t.variants.items():
            if variant.ref in places:
                self._t.variants[number] = replace(variant, ref=places[variant.ref])

    def forget_bytes(self, refs: Collection[SpoolRef]) -> None:
        self.move_bytes(dict.fromkeys(refs, GONE))
