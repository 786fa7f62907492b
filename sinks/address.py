"""Address and credentials of a store. The password is never shown."""

from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

PORT, SECURE_PORT = 9000, 9440


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A ClickHouse server's native port, or the embedded store's."""

    host: str = "127.0.0.1"
    port: int = PORT
    user: str = "default"
    password: str = field(default="", repr=False)
    database: str = "homeroom"
    secure: bool = False
    bounded: bool = False
    """Whether the user's own profile limits queries, so that the client sets no limits."""

    @classmethod
    def parse(cls, url: str) -> "StoreAddress":
        """Parse ``clickhouse://user:password@host:port/database`` (``clickhouses`` for TLS).

        Raises:
            ValueError: the URL has another form; the message does not repeat a password.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("clickhouse", "clickhouses") or not parts.hostname:
            raise ValueError(
                f"store address: expected clickhouse://user:password@host:port/database, "
                f"got scheme {parts.scheme!r} and host {parts.hostname!r}"
            )
        try:
            port = parts.port
        except ValueError:
            raise ValueError("store address: port is not a number from 0 to 65535") from None
        secure = parts.scheme == "clickhouses"
        return cls(
            host=parts.hostname,
            port=port or (SECURE_PORT if secure else PORT),
            user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=parts.path.strip("/") or "homeroom",
            secure=secure,
        )

    @property
    def _scheme(self) -> str:
        return "clickhouses" if self.secure else "clickhouse"

    def url(self) -> str:
        """The whole address, password included: to pass to a child process, never to show."""
        credentials = quote(self.user, safe="") + (
            ":" + quote(self.password, safe="") if self.password else ""
        )
        return f"{self._scheme}://{credentials}@{self.host}:{self.port}/{self.database}"

    def __str__(self) -> str:
        return f"{self._scheme}://{self.user}@{self.host}:{self.port}/{self.database}"
