"""Whether a provider took a message, refused it, or left it open: what Apprise's yes or no does not tell.

Apprise's plugins catch what goes wrong, log it, and say no: a gateway that is busy and one that fell silent
with the message in its hands look alike. The first may be tried again, the second must not be: nobody knows
whether the message has gone. But a plugin logs where it catches, so the exception is still at hand
(:func:`sys.exc_info`) when a handler of Apprise's log is called, in the same thread. That handler is here; it
looks at exceptions, and at the status of an HTTP answer that Apprise warns of, and keeps no record, since
Apprise's records hold addresses and passwords.

Left open is what failed on the established connection. A web server that answers has not taken what it
answers with an error, 429 and 5xx too: it may be asked again. All but a gateway that says that *it* got no
answer: what stands behind it may have the message. And some statuses say that the message itself is at
fault: these are for good. What a plugin does not even catch is left open, unless it is certain that nothing
was sent.

Mails do not go this way (:mod:`notifier.mail`).
"""

import logging
import re
import smtplib
import ssl
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Literal

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from schemas.errors import HomeroomError

Kind = Literal[
    "taken",
    "refused",  # for now: it may be tried again
    "rejected",  # for good: the address, or the message, will never be taken
    "unanswered",  # perhaps sent, perhaps not
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider answered, and why: a status, a step, the class of an error; no address, no secret."""

    kind: Kind
    why: str = ""


BROKEN = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
"""What requests says of a connection that failed, before or after the request was sent."""

NOT_REACHED = (
    requests.ConnectTimeout,
    requests.exceptions.ProxyError,
    NewConnectionError,
    ConnectTimeoutError,
    ssl.SSLCertVerificationError,
)
"""Among the causes of one that nothing was sent on."""


STATUS = re.compile(r"\berror=(\d{3})\b")
"""In what Apprise warns of: the status of an HTTP answer. The last one: an address may come before it."""
NO_ANSWER_BEHIND = (504, 524)
"""Gateway Timeout (RFC 9110, 15.6.5), and Cloudflare's own number for it."""
AT_FAULT = (400, 410, 413, 414, 422)
"""Statuses by which the request itself is at fault. Not 401, 403 and 404, which a setting can cause."""


class StatusError(HomeroomError):
    """A web server answered with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class _Ear(logging.Handler):
    """Hears the exceptions that Apprise logs about, by thread."""

    def __init__(self) -> None:
        super().__init__()
        self._heard = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        # What is below a warning may quote the answer's body, which can say anything.
        if record.levelno >= logging.WARNING and (found := STATUS.findall(record.getMessage())):
            error = StatusError(int(found[-1]))
        if error is not None and hasattr(self._heard, "errors"):
            self._heard.errors.append(error)

    @contextmanager
    def listening(self) -> Iterator[list[BaseException]]:
        """The exceptions of this thread until the end of the block."""
        self._heard.errors = found = list[BaseException]()
        try:
            yield found
        finally:
            del self._heard.errors


_ear = _Ear()
_apprise = logging.getLogger("apprise")
_apprise.addHandler(_ear)
_apprise.setLevel(logging.DEBUG)
_apprise.propagate = False

listening = _ear.listening


def answer_of(taken: bool, errors: Sequence[BaseException]) -> Answer:
    """What a provider's answer is, by Apprise's and by what it caught meanwhile."""
    if taken:
        return Answer("taken")
    for error in errors:
        if left_open(error):
            return Answer("unanswered", _words(error))
    for error in errors:
        if isinstance(error, StatusError) and error.status in AT_FAULT:
            return Answer("rejected", _words(error))
    return Answer("refused", _words(errors[-1]) if errors else "no reason given")


def answer_of_failure(error: Exception) -> Answer:
    """What the answer is where a plugin did not catch its error, whatever its class."""
    heard_of = isinstance(error, requests.RequestException)
    may_have_gone = left_open(error) if heard_of else not _before_sending(error)
    return Answer("unanswered" if may_have_gone else "refused", _words(error))


def left_open(error: BaseException) -> bool:
    """Whether the message may have gone, as far as a failure tells."""
    if isinstance(error, StatusError):
        return error.status in NO_ANSWER_BEHIND
    if isinstance(error, requests.RequestException):
        return isinstance(error, BROKEN) and not any(isinstance(one, NOT_REACHED) for one in _causes(error))
    hung_up = TimeoutError | ConnectionResetError | BrokenPipeError | smtplib.SMTPServerDisconnected
    return isinstance(error, hung_up)


def _before_sending(error: Exception) -> bool:
    """Whether requests failed before it had a connection: it could not read its certificates, for one."""
    passed = list(_passed(error))
    return HTTPAdapter.send.__code__ in passed and HTTPConnectionPool.urlopen.__code__ not in passed


def _words(error: BaseException) -> str:
    """An error's class alone: its words may hold the URL, and with it an address."""
    return str(error) if isinstance(error, StatusError) else type(error).__name__


def _passed(error: BaseException) -> Iterator[CodeType]:
    """The code that an exception came through."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_code
        trace = trace.tb_next


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it was made of: requests wraps urllib3's, which wraps the socket's."""
    found, left = set[int](), [error]
    while left:
        one = left.pop()
        if id(one) in found:
            continue
        found.add(id(one))
        yield one
        parts = [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
        left += [part for part in parts if isinstance(part, BaseException)]
