"""Who somebody is in a course run. Only learners are scored, compared with each other and counted."""

from typing import Literal, get_args

Role = Literal[
    "learner",
    "staff",  # teachers, tutors, authors, administrators
    "observer",  # parents, auditors, guests
    "test",  # accounts made to try something
    "bot",  # crawlers, monitors, whatever is no person
    "anonymous",  # whoever is not signed in
]
"""A role that an enrolment or an event may name; a learner where it names none."""

ROLES: tuple[str, ...] = get_args(Role)
LEARNER = 0
"""The number of the role that is scored."""


def role_number(role: str) -> int:
    """A role as enrolments keep it."""
    return ROLES.index(role)
