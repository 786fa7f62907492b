"""Whether a provider took a message, refused it, or left it open: what Apprise's yes or no does not tell.

Apprise's plugins catch what goes wrong, log it, and say no: a mailbox that is full and a server that fell
silent with the message in its hands look alike. The first may be tried again, the second must not be: nobody
knows whether the message has gone. But a plugin logs where it catches, so the exception is still at hand
(:func:`sys.exc_info`) when a handler of Apprise's log is called, in the same thread. That handler is here; it
looks at exceptions, and at the status of an HTTP answer that Apprise warns of, and keeps no record, since
Apprise's records hold addresses and passwords.

Left open is what failed once the message was being handed over: to a mail server from the command ``DATA``
on (RFC 5321, 4.5.3.2 warns of duplicates by impatience), to a web server from the established connection on.
A web server that answers has not taken what it answers with an error, 429 and 5xx too: it may be asked again.
All but a gateway that says that *it* got no answer: what stands behind it may have the message.
"""

import logging
import re
import smtplib
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Literal

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

Answer = Literal["taken", "refused", "unanswered"]

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


NO_ANSWER_BEHIND = re.compile(r"\berror=(504|524)\b")
"""In what Apprise warns of: Gateway Timeout (RFC 9110, 15.6.5), and Cloudflare's own number for it."""


class GatewayTimedOutError(Exception):
    """A gateway handed the message on, and no answer came."""


class _Ear(logging.Handler):
    """Hears the exceptions that Apprise logs about, by thread."""

    def __init__(self) -> None:
        super().__init__()
        self._heard = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        # What is below a warning may quote the answer's body, which can say anything.
        if record.levelno >= logging.WARNING and NO_ANSWER_BEHIND.search(record.getMessage()):
            error = GatewayTimedOutError()
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


def answer_of(taken: bool, errors: list[BaseException]) -> Answer:
    """What a provider's answer is, by Apprise's and by what it caught meanwhile."""
    if taken:
        return "taken"
    return "unanswered" if any(map(left_open, errors)) else "refused"


def left_open(error: BaseException) -> bool:
    """Whether the message may have gone, as far as a failure tells."""
    if isinstance(error, GatewayTimedOutError):
        return True
    if isinstance(error, requests.RequestException):
        return isinstance(error, BROKEN) and not any(isinstance(one, NOT_REACHED) for one in _causes(error))
    passed = list(_passed(error))
    if any(code.co_filename == smtplib.__file__ for code in passed):
        handing_over = smtplib.SMTP.data.__code__ in passed
        return handing_over and not isinstance(error, smtplib.SMTPResponseException)
    return isinstance(error, TimeoutError | ConnectionResetError | BrokenPipeError)


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
