"""What the notifier needs of Apprise beyond its documented interface, all of it here: for Apprise 2.2.0.

Apprise parses the URL of a channel; its mail plugin's fields then say which mail server was meant. They are
not documented, so Apprise is pinned to that release, and ``homeroom doctor`` says where another is installed.
To move to another, read ``apprise/plugins/email/base.py`` and ``URLBase`` in ``apprise/url.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from apprise import NotifyBase
from apprise.plugins.email import NotifyEmail
from apprise.plugins.email.common import SecureMailMode

Encryption = Literal["none", "starttls", "tls"]
"""Of the connection to a mail server: none, after the greeting, or from the start."""

_ENCRYPTION: Mapping[str, Encryption] = {
    SecureMailMode.INSECURE: "none",
    SecureMailMode.STARTTLS: "starttls",
    SecureMailMode.SSL: "tls",
}


@dataclass(frozen=True, slots=True)
class MailFields:
    """The mail server of a URL, as Apprise parsed it; addresses are unchecked.

    copies: it asks for copies or for encryption with PGP. timeout_s: of a connection.
    """

    host: str
    port: int
    encryption: Encryption
    sender: tuple[str, str]
    """Name and address."""
    reply_to: tuple[str, ...]
    headers: Mapping[str, str]
    to: tuple[str, ...]
    timeout_s: float
    verify: bool
    copies: bool
    user: str = field(repr=False)
    password: str = field(repr=False)


def is_mail(plugin: NotifyBase) -> bool:
    """Whether a plugin sends mails; also those for single providers do."""
    return isinstance(plugin, NotifyEmail)


def mail_fields(plugin: NotifyBase) -> MailFields | None:
    """The fields of the plugin for mail servers; None of any other, a single provider's among them."""
    if type(plugin) is not NotifyEmail:
        return None
    name, mailbox = plugin.from_addr
    return MailFields(
        host=plugin.smtp_host,
        port=plugin.port or 0,
        encryption=_ENCRYPTION[str(plugin.secure_mode)],
        sender=(str(name or ""), str(mailbox)),
        reply_to=tuple(plugin.reply_to),
        headers=dict(plugin.headers),
        to=tuple(target for _, target in plugin.targets),
        timeout_s=float(plugin.socket_connect_timeout),
        verify=plugin.verify_certificate,
        copies=bool(plugin.cc or plugin.bcc or plugin.pgp_mode != "no"),
        user=plugin.user or "",
        password=plugin.password or "",
    )


def set_default_timeout(plugin: NotifyBase, mail_s: float, web_s: float) -> None:
    """Set how long a provider may take, seconds, where its URL does not.

    Apprise's own defaults are class attributes, a URL's are the object's.
    """
    if is_mail(plugin):
        vars(plugin).setdefault("socket_connect_timeout", mail_s)
    else:
        vars(plugin).setdefault("socket_read_timeout", web_s)


def timeout_s(plugin: NotifyBase) -> float:
    """The longest that a provider may take, seconds."""
    connect, read = plugin.request_timeout
    return float(connect if is_mail(plugin) else connect + read)
