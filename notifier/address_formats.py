"""The format of an address for each channel: a value is exactly one address, or none. Pure.

A mail address is parsed by the grammar of RFC 5321 and its domain converted to ASCII (IDNA); the result is
sent to the mail server character for character.
"""

import re
from collections.abc import Mapping

import email_validator
from email_validator import EmailNotValidError, validate_email

from schemas.learner import Channel

# Whether a domain can be reached is for the mail server to say: one on a campus may well be called .local.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()

PATTERNS: Mapping[Channel, re.Pattern[str]] = {
    "sms": re.compile(r"\+?[0-9]{5,15}"),
    "push": re.compile(r"[\x21-\x7e]{1,512}"),
    "in_app": re.compile(r"[\x21-\x7e]{1,512}"),
    "instructor": re.compile(r"[^\s\x00-\x20\x7f-\xa0]{1,512}"),  # a mail address, a chat's name or whatever
}
"""Patterns of one address; they exclude what separates several."""

EXPECTED: Mapping[Channel, str] = {
    "email": "one mail address such as ann@example.org, without a name beside it",
    "sms": "5 to 15 digits, with a + before them or not, and nothing between them",
    "push": "1 to 512 printable ASCII characters without spaces",
    "in_app": "1 to 512 printable ASCII characters without spaces",
    "instructor": "1 to 512 printable characters without spaces",
}
"""Channel → the expected format in words."""


def address_of(channel: Channel, value: object) -> str | None:
    """The value as one address, ready for use; None where it is anything else."""
    if not isinstance(value, str):
        return None
    value = value.strip()
    if channel == "email":
        return mailbox_of(value)
    return value if PATTERNS[channel].fullmatch(value) else None


def mailbox_of(value: str) -> str | None:
    """The mailbox of a mail address, its domain in ASCII; None where it is not one address."""
    try:
        address = validate_email(
            value,
            check_deliverability=False,
            globally_deliverable=False,
            allow_quoted_local=True,
            strict=True,
        )
    except EmailNotValidError:
        return None
    return f"{address.local_part}@{address.ascii_domain}"
