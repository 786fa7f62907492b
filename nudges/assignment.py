"""Random assignment by a keyed hash, so that a draw is fixed, repeatable and needs no state.

The arm belongs to the enrolment (learner × course run) and stays the same for as long as the key does,
on any worker and in any replay. Another key gives independent draws. A larger share keeps everybody who is
held out already and adds others. Further draws of the same enrolment (the variant of a message, for example)
have a name of their own and are independent of the holdout and of each other. This module does not know
what a draw is used for.
"""

from collections.abc import Sequence
from hashlib import blake2b

MAX_KEY_BYTES = 64
"""The longest key that blake2b accepts."""

ROUNDING = 1e-9
"""How far the sum of probabilities may be from 1."""


def position(key: str, learner: str, course_run: str, draw: str = "") -> float:
    """The enrolment's position in [0, 1): uniformly distributed, and always the same under a key.

    ``key`` names the experiment. ``draw`` names what is drawn within it; empty for the holdout.

    Raises:
        ValueError: the key has more than 64 bytes of UTF-8.
    """
    enrolment = f"{len(learner)}:{learner}{course_run}".encode()
    person = blake2b(draw.encode(), digest_size=16).digest() if draw else b""
    digest = blake2b(enrolment, digest_size=6, key=key.encode(), person=person).digest()
    return int.from_bytes(digest, "big") / (1 << 48)


def held_out(key: str, learner: str, course_run: str, share: float) -> bool:
    """Whether the enrolment is among the ``share`` (in [0, 1]) of all that get no nudge."""
    return position(key, learner, course_run) < share


def pick(point: float, probabilities: Sequence[float]) -> int:
    """The index of the choice at a point in [0, 1); choice k has a share ``probabilities[k]`` of the points.

    Stable: a point keeps its choice while the probabilities stay, and few points change their choice when the
    probabilities change a little. A choice of probability 0 is never returned.

    Raises:
        ValueError: there are no probabilities, one is not in [0, 1], or they do not add up to 1.
    """
    if any(not 0.0 <= share <= 1.0 for share in probabilities) or abs(sum(probabilities) - 1.0) > ROUNDING:
        raise ValueError(f"probabilities are {list(probabilities)}; expected shares that add up to 1")
    cumulative = 0.0
    candidates = [choice for choice, share in enumerate(probabilities) if share > 0.0]
    for choice in candidates[:-1]:
        cumulative += probabilities[choice]
        if point < cumulative:
            return choice
    return candidates[-1]
