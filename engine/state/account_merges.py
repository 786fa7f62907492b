"""Which accounts of a partition were merged into others, and which others into accounts of this partition."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.fields import DAY_S

KEPT_DAYS = 400
"""Days after a merge in which events of the old name are carried over; then it is a new account's name."""

TAKEN_DAYS = 30
"""Days for which a partition remembers what it has taken over; packages carry it for fewer."""


class Merge(NamedTuple):
    """Into which account, and since when, epoch seconds."""

    into: str
    time: int


class AccountMerges:
    """The merges that a partition has applied."""

    def __init__(self, stored: Mapping[str, Any] | None = None) -> None:
        stored = stored or {}
        self._leaving = {name: Merge(*merge) for name, merge in stored.get("leaving", {}).items()}
        self._claims = {name: Merge(*merge) for name, merge in stored.get("claims", {}).items()}
        self._taken: dict[str, int] = dict(stored.get("taken", {}))
        self.new_claims: set[str] = set()
        """Accounts of this partition into which others were merged at the close under way."""

    def apply(self, fact: Mapping[str, Any]) -> None:
        """Apply a merge; of an account, the newest holds, and of two at one time the larger name."""
        merge = Merge(fact["into"], fact["time"])
        merges = self._claims if fact.get("side") == "into" else self._leaving
        known = merges.get(fact["learner"])
        if known is None or (merge.time, merge.into) > (known.time, known.into):
            merges[fact["learner"]] = merge
            if merges is self._claims:
                self.new_claims.add(merge.into)

    def leaving(self) -> dict[str, str]:
        """Accounts of this partition that are merged into others: old name → new name.

        Not one into which the other was merged later: it is the one that stays.
        """
        return {
            name: merge.into
            for name, merge in sorted(self._leaving.items())
            if not self._is_reversed(name, merge)
        }

    def _is_reversed(self, name: str, merge: Merge) -> bool:
        back = self._claims.get(merge.into)
        return back is not None and back.into == name and (back.time, merge.into) > (merge.time, name)

    def claims(self) -> dict[str, str]:
        """Accounts of any partition that are merged into one of this: old name → new name."""
        return {name: merge.into for name, merge in sorted(self._claims.items())}

    def former_names(self, learner: str) -> list[str]:
        """The accounts that were merged into an account of this partition."""
        return [name for name, into in self.claims().items() if into == learner]

    def take(self, name: str, day: int) -> bool:
        """Note that what an account had at the close of a day is taken over; whether it was not yet."""
        key = f"{day}/{name}"
        if key in self._taken:
            return False
        self._taken[key] = day
        return True

    def forget(self, today: int) -> None:
        """Forget what is too old at the close of an epoch day."""
        oldest = (today - KEPT_DAYS) * DAY_S
        for merges in (self._leaving, self._claims):
            for name in [name for name, merge in merges.items() if merge.time < oldest]:
                del merges[name]
        self._taken = {key: day for key, day in self._taken.items() if day >= today - TAKEN_DAYS}

    def as_json(self) -> dict[str, Any]:
        """Everything, as the constructor takes it; empty without any merge."""
        parts = {
            "leaving": {name: list(merge) for name, merge in sorted(self._leaving.items())},
            "claims": {name: list(merge) for name, merge in sorted(self._claims.items())},
            "taken": dict(sorted(self._taken.items())),
        }
        return {name: part for name, part in parts.items() if part}
