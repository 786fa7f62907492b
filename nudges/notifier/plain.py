"""The plain part of a mail: the words of the text template, its links among them.

Apprise makes that part of the HTML and leaves the links out, so that who reads mail as text could not
unsubscribe; a text of one's own it does not take. Its module of mail looks up the function that makes the
part with every mail, so here that function is replaced by one that knows the text of the mail at hand. A
test reads a mail that a server took.

Mail servers alone: the services that send mail by an API of their own get the HTML.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from apprise import NotifyFormat
from apprise.plugins.email import base

_text: ContextVar[str] = ContextVar("the plain part of the mail at hand", default="")
_converted: Callable[[NotifyFormat, NotifyFormat, str], str] = vars(base)["convert_between"]


@contextmanager
def plain_part(text: str) -> Iterator[None]:
    """Mails with HTML that this thread sends within the block have ``text`` as their plain part."""
    token = _text.set(text)
    try:
        yield
    finally:
        _text.reset(token)


def _own_or_converted(found: NotifyFormat, wanted: NotifyFormat, content: str) -> str:
    own = _text.get() if (found, wanted) == (NotifyFormat.HTML, NotifyFormat.TEXT) else ""
    return own or _converted(found, wanted, content)


vars(base)["convert_between"] = _own_or_converted
