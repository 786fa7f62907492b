"""Who gets what by chance: a keyed hash, so that a draw is fixed, repeatable and needs no memory.

The arm belongs to the enrolment (learner × course run) and stays the same for as long as the key does,
on any worker and in any replay. Another key draws anew and independently. Raising the share keeps
everybody who is held out already and adds others. Further draws of the same enrolment (which variant of
a message, say) have a name of their own and are independent of the holdout and of each other. This
module does not know what a draw is used for.
"""

from collections.abc import Sequence
from hashlib import blake2b

MAX_KEY_BYTES = 64
"""What blake2b takes as a key."""

ROUNDING = 1e-9
"""By how much probabilities may miss a sum of one."""


def position(key: str, learner: str, course_run: str, draw: str = "") -> float:
    """Where the enrolment stands in [0, 1), evenly spread and the same for ever under this key.

    ``key`` names the experiment; at most 64 bytes of UTF-8, else blake2b raises ``ValueError``. ``draw``
    names what is drawn within it; none is the holdout.
    """
    enrolment = f"{len(learner)}:{learner}{course_run}".encode()
    person = blake2b(draw.encode(), digest_size=16).digest() if draw else b""
    digest = blake2b(enrolment, digest_size=6, key=key.encode(), person=person).digest()
    return int.from_bytes(digest, "big") / (1 << 48)


def held_out(key: str, learner: str, course_run: str, share: float) -> bool:
    """Whether the enrolment is among the ``share`` (in [0, 1]) of all that get no nudge."""
    return position(key, learner, course_run) < share


def pick(place: float, probabilities: Sequence[float]) -> int:
    """The choice that a position in [0, 1) falls on; choice k is taken by a share ``probabilities[k]``.

    Steady: a place keeps its choice while the probabilities do, and few places change when they change a
    little. A choice of probability 0 is never taken. Raises ``ValueError`` where the probabilities are
    none, not in [0, 1], or do not add up to 1.
    """
    if any(not 0.0 <= one <= 1.0 for one in probabilities) or abs(sum(probabilities) - 1.0) > ROUNDING:
        raise ValueError(f"probabilities are {list(probabilities)}; expected shares that add up to 1")
    passed = 0.0
    possible = [choice for choice, share in enumerate(probabilities) if share > 0.0]
    for choice in possible[:-1]:
        passed += probabilities[choice]
        if place < passed:
            return choice
    return possible[-1]
