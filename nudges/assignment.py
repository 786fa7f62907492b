"""Who is held out: a keyed hash, so that an enrolment's arm is fixed, repeatable and needs no memory.

The arm belongs to the enrolment (learner × course run) and stays the same for as long as the key does,
on any worker and in any replay. Another key draws anew and independently. Raising the share keeps
everybody who is held out already and adds others. This module does not know what an arm is used for.
"""

from hashlib import blake2b

MAX_KEY_BYTES = 64
"""What blake2b takes as a key."""


def position(key: str, learner: str, course_run: str) -> float:
    """Where the enrolment stands in [0, 1), evenly spread and the same for ever under this key.

    ``key`` names the draw; at most 64 bytes of UTF-8, else blake2b raises ``ValueError``.
    """
    enrolment = f"{len(learner)}:{learner}{course_run}".encode()
    digest = blake2b(enrolment, digest_size=6, key=key.encode()).digest()
    return int.from_bytes(digest, "big") / (1 << 48)


def held_out(key: str, learner: str, course_run: str, share: float) -> bool:
    """Whether the enrolment is among the ``share`` (in [0, 1]) of all that get no nudge."""
    return position(key, learner, course_run) < share
