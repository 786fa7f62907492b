"""A message as the request that an endpoint is sent: its body and its headers."""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from engine.pseudonyms import Identity
from schemas.cloud_event import JSON_TYPE, STRUCTURED_TYPE, OutMessage, attributes_of, structured
from streams.relay.caliper import envelope_of
from streams.relay.settings import RelaySettings
from streams.relay.signing import secrets_of, signature
from streams.relay.xapi import statement_of


@dataclass(frozen=True, slots=True)
class Request:
    """A body and its headers. name: the idempotency key, the same whenever the message is sent."""

    name: str
    body: bytes
    headers: dict[str, str]


class Forms:
    """Makes requests of messages."""

    def __init__(
        self,
        settings: RelaySettings,
        identity: Identity,
        prefix: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """identity: of the pseudonyms. prefix: of the installation's topics. clock: epoch seconds."""
        self._settings, self._identity, self._prefix, self._clock = settings, identity, prefix, clock
        self._secrets = secrets_of(settings.signing_keys.get_secret_value())

    def request(self, message: OutMessage) -> Request:
        """The request of an attempt now: its timestamp and signature are of this moment."""
        now = self._clock()
        name = str(attributes_of(message, self._prefix).uuid)
        body, headers = self._body(self._named(message), datetime.fromtimestamp(now, UTC))
        headers |= self._authorization() | {"Idempotency-Key": name}
        if self._secrets:
            headers |= {
                "webhook-id": name,
                "webhook-timestamp": str(int(now)),
                "webhook-signature": signature(self._secrets, name, int(now), body),
            }
        return Request(name, body, headers)

    def _named(self, message: OutMessage) -> OutMessage:
        """The message by the learner's pseudonym, unless the endpoint may know the id."""
        if self._settings.raw_learners:
            return message
        return message.model_copy(update={"learner": self._identity.learner(message.learner)})

    def _body(self, message: OutMessage, now: datetime) -> tuple[bytes, dict[str, str]]:
        settings = self._settings
        match settings.form:
            case "cloudevents":
                return orjson.dumps(structured(message, self._prefix)), {"Content-Type": STRUCTURED_TYPE}
            case "xapi":
                statement = statement_of(message, self._prefix, settings.home_page)
                headers = {
                    "Content-Type": JSON_TYPE,
                    "X-Experience-API-Version": settings.xapi_version,
                }
                return orjson.dumps(statement), headers
            case "caliper":
                return orjson.dumps(envelope_of(message, self._prefix, now)), {"Content-Type": JSON_TYPE}

    def _authorization(self) -> dict[str, str]:
        settings = self._settings
        if settings.user:
            pair = f"{settings.user}:{settings.password.get_secret_value()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        token = settings.bearer_token.get_secret_value()
        return {"Authorization": f"Bearer {token}"} if token else {}
