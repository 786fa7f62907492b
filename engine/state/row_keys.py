"""Keys of the rows in the state topic: a kind, and the name of the row's subject."""

StateRow = tuple[bytes, bytes | None]
"""A key of the state topic and its value; None deletes."""

MARK = b"mark"
POLICY, OUTBOX = b"policy", b"n"
ENROLMENT, RUN, LEARNER, FACT, IDS = b"e", b"c", b"l", b"f", b"i"
EXPOSURES, TRAIL = b"x", b"t"
UNPLACED, WORK_NAMES = b"w", b"v"
ATTRIBUTES = b"a"
EARLIER_IDS = b"h"


def row_key(kind: bytes, name: str) -> bytes:
    """The key of the row of a kind and name."""
    return kind + b"|" + name.encode()


def enrolment_key(key: tuple[str, str], kind: bytes = ENROLMENT) -> bytes:
    """The key of a row of an enrolment. key: its learner and course run."""
    return row_key(kind, enrolment_name(key))


def enrolment_name(key: tuple[str, str]) -> str:
    """Learner and run as one name; the length prefix marks the end of the run, whatever it contains."""
    return f"{len(key[1])}:{key[1]}{key[0]}"


def parse_enrolment_name(name: str) -> tuple[str, str]:
    """Learner and run from an :func:`enrolment_name`."""
    length, _, both = name.partition(":")
    return both[int(length) :], both[: int(length)]
