"""Pseudonyms, which replace learner ids wherever data leaves the platform's own topics."""

from dataclasses import dataclass, field
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Identity:
    """Keyed hashes of ids: stable under one key, meaningless without it (RFC 7693, keyed mode).

    key: up to 64 bytes, from the environment; never logged.
    """

    key: bytes = field(repr=False)

    def learner(self, learner: str) -> str:
        """The learner's pseudonym, 16 hexadecimal digits."""
        return blake2b(learner.encode(), digest_size=8, key=self.key).hexdigest()

    def enrolment(self, learner: str, course_run: str) -> str:
        """The pseudonym of a learner in a course run, 16 hexadecimal digits."""
        return blake2b(f"{learner}\0{course_run}".encode(), digest_size=8, key=self.key).hexdigest()
