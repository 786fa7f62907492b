"""Classifies a provider's answer as accepted, refused or unanswered; Apprise returns True or False only.

Apprise's plugins catch errors, log them, and return False: a gateway that is busy and one that stopped
answering after it had the message look alike. The first may be tried again, the second must not be: it is
unknown whether the message was sent. But a plugin logs inside its ``except``, so the exception is still
available (:func:`sys.exc_info`) when a handler of Apprise's log is called, in the same thread. That handler
is here; it collects exceptions, and the status of an HTTP answer that Apprise warns of, and keeps no log
record, since Apprise's records contain addresses and passwords.

*Unanswered* is what failed on the established connection. A web server that answers with an error, 429 and
5xx included, has not accepted the message: it may be tried again. The exception is a gateway that reports
that *it* got no answer: the service behind it may have the message. Some statuses mean that the message
itself is at fault: these are final. An error that a plugin does not catch counts as unanswered, unless it is
certain that nothing was sent.

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

AnswerKind = Literal[
    "taken",
    "refused",  # for now: it may be tried again
    "rejected",  # for good: the address, or the message, will never be accepted
    "unanswered",  # perhaps sent, perhaps not
]


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer and its reason: a status, a step, the class of an error; no address, no secret."""

    kind: AnswerKind
    reason: str = ""


CONNECTION_FAILURES = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
"""requests' errors for a connection that failed, before or after the request was sent."""

NOTHING_SENT = (
    requests.ConnectTimeout,
    requests.exceptions.ProxyError,
    NewConnectionError,
    ConnectTimeoutError,
    ssl.SSLCertVerificationError,
)
"""Causes of a failed connection on which nothing was sent."""


STATUS = re.compile(r"\berror=(\d{3})\b")
"""The HTTP status in a warning of Apprise's. The last match counts: an address may come before it."""
GATEWAY_TIMEOUTS = (504, 524)
"""Gateway Timeout (RFC 9110, 15.6.5), and Cloudflare's own number for it."""
REQUEST_AT_FAULT = (400, 410, 413, 414, 422)
"""Statuses for which the request itself is at fault. Not 401, 403 and 404, which a setting can cause."""


class StatusError(HomeroomError):
    """A web server answered with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


class _ErrorCollector(logging.Handler):
    """Collects the exceptions that Apprise logs, by thread."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        # What is below a warning may quote the answer's body, which can say anything.
        if record.levelno >= logging.WARNING and (statuses := STATUS.findall(record.getMessage())):
            error = StatusError(int(statuses[-1]))
        if error is not None and hasattr(self._thread, "errors"):
            self._thread.errors.append(error)

    @contextmanager
    def collect(self) -> Iterator[list[BaseException]]:
        """The exceptions of this thread until the end of the block."""
        self._thread.errors = errors = list[BaseException]()
        try:
            yield errors
        finally:
            del self._thread.errors


_collector = _ErrorCollector()
_apprise = logging.getLogger("apprise")
_apprise.addHandler(_collector)
_apprise.setLevel(logging.DEBUG)
_apprise.propagate = False

collect_errors = _collector.collect


def answer_of(accepted: bool, errors: Sequence[BaseException]) -> Answer:
    """The provider's answer, from Apprise's result and the exceptions that it caught."""
    if accepted:
        return Answer("taken")
    for error in errors:
        if may_have_been_sent(error):
            return Answer("unanswered", _describe(error))
    for error in errors:
        if isinstance(error, StatusError) and error.status in REQUEST_AT_FAULT:
            return Answer("rejected", _describe(error))
    return Answer("refused", _describe(errors[-1]) if errors else "no reason given")


def answer_of_failure(error: Exception) -> Answer:
    """The provider's answer where a plugin did not catch its error, whatever its class."""
    from_requests = isinstance(error, requests.RequestException)
    in_doubt = may_have_been_sent(error) if from_requests else not _failed_before_sending(error)
    return Answer("unanswered" if in_doubt else "refused", _describe(error))


def may_have_been_sent(error: BaseException) -> bool:
    """Whether the message may have been sent in spite of a failure."""
    if isinstance(error, StatusError):
        return error.status in GATEWAY_TIMEOUTS
    if isinstance(error, requests.RequestException):
        return isinstance(error, CONNECTION_FAILURES) and not any(
            isinstance(cause, NOTHING_SENT) for cause in _causes(error)
        )
    disconnects = TimeoutError | ConnectionResetError | BrokenPipeError | smtplib.SMTPServerDisconnected
    return isinstance(error, disconnects)


def _failed_before_sending(error: Exception) -> bool:
    """Whether requests failed before it had a connection, for example reading its certificates."""
    codes = list(_traversed_code(error))
    return HTTPAdapter.send.__code__ in codes and HTTPConnectionPool.urlopen.__code__ not in codes


def _describe(error: BaseException) -> str:
    """An error's class alone: its text may contain the URL, and with it an address."""
    return str(error) if isinstance(error, StatusError) else type(error).__name__


def _traversed_code(error: BaseException) -> Iterator[CodeType]:
    """The code objects that an exception passed through."""
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_code
        trace = trace.tb_next


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and those it wraps: requests wraps urllib3's, which wraps the socket's."""
    visited, pending = set[int](), [error]
    while pending:
        cause = pending.pop()
        if id(cause) in visited:
            continue
        visited.add(id(cause))
        yield cause
        parts = [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
        pending += [part for part in parts if isinstance(part, BaseException)]
