"""The new names of course runs, as a partition knows them."""

from collections.abc import Mapping, Sequence
from typing import Any


class RunRenames:
    """Old name → newest name, and when it got it."""

    def __init__(self, stored: Mapping[str, Sequence[Any]] | None = None) -> None:
        self._names: dict[str, tuple[str, int]] = {
            old: (new, time) for old, (new, time) in (stored or {}).items()
        }
        self._new: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._names)

    def apply(self, old: str, new: str, time: int) -> str | None:
        """Apply a rename; returns the name that the run has had until now, None where that is no news.

        A name that is given anew is in use again, whatever it was before: so there are no cycles.
        """
        until_now = self.newest(old)
        if until_now == new or (old in self._names and time < self._names[old][1]):
            return None
        self._names.pop(new, None)
        for earlier, (name, since) in list(self._names.items()):
            if name == until_now:
                self._names[earlier] = (new, since)
        for name in (old, until_now):
            self._names[name] = (new, time)
            self._new[name] = new
        return until_now

    def newest(self, name: str) -> str:
        """The newest name of a run."""
        found = self._names.get(name)
        return name if found is None else found[0]

    def pop_new(self) -> dict[str, str]:
        """The renames of the close under way, for its report: old name → new name."""
        new, self._new = self._new, {}
        return new

    def as_json(self) -> dict[str, list[Any]]:
        """All names, as the constructor takes them."""
        return {old: list(entry) for old, entry in sorted(self._names.items())}
