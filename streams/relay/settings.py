"""The relay's own settings, ``HOMEROOM_RELAY_…``; those for Kafka and the pseudonyms are the common ones.

``docs/settings.md`` is generated from here too.
"""

from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from yarl import URL

from sources.formats.xapi.terms import HOME_PAGE
from streams.relay.signing import secrets_of

Form = Literal["cloudevents", "xapi", "caliper"]


class RelaySettings(BaseSettings):
    """The relay's settings: one endpoint a process."""

    model_config = SettingsConfigDict(
        env_prefix="HOMEROOM_RELAY_", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    url: str = Field(
        "",
        repr=False,  # its path or query may be a secret
        description="the endpoint that messages are posted to, https, or http on this machine; for xAPI the "
        "statements resource, such as `https://lrs.example.org/xapi/statements`",
    )
    form: Form = Field(
        "cloudevents", description="what is posted: *cloudevents* (structured JSON), *xapi* or *caliper*"
    )
    name: str = Field(
        "relay",
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}$",
        description="of this endpoint: its consumer group ends with it, so each endpoint needs another",
    )
    signing_keys: SecretStr = Field(
        SecretStr(""),
        description="secrets of the signature, `whsec_` and base64 each, with spaces between: during a "
        "change the new one and the old; empty for no signature",
    )
    user: str = Field("", description="for basic authentication, as record stores ask for")
    password: SecretStr = Field(SecretStr(""), description="and its password")
    bearer_token: SecretStr = Field(
        SecretStr(""), description="for bearer authentication, as Caliper endpoints ask for"
    )
    raw_learners: bool = Field(
        False,
        description="whether the endpoint is told the platform's own learner ids; else the pseudonyms that "
        "the store has",
    )
    home_page: str = Field(
        HOME_PAGE, pattern=r"^https?://\S+$", description="xAPI: the home page of the learners' accounts"
    )
    xapi_version: Literal["1.0.3", "2.0.0"] = Field(
        "1.0.3", description="xAPI: the header X-Experience-API-Version"
    )
    attempts: Annotated[int, Field(ge=1, le=100)] = Field(
        5, description="times that a refused message is posted before it is a dead letter"
    )
    timeout_s: Annotated[float, Field(gt=0, le=300)] = Field(
        20.0, description="how long the endpoint may take to answer"
    )
    longest_wait_s: Annotated[float, Field(gt=0, le=86_400)] = Field(
        300.0, description="the longest pause between two attempts, also where Retry-After asks for more"
    )
    concurrency: Annotated[int, Field(ge=1, le=100)] = Field(
        8, description="learners whose messages are posted side by side; a learner's are in order"
    )
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        9467, description="where Prometheus scrapes the relay; 0 for nowhere"
    )

    @field_validator("url")
    @classmethod
    def _is_safe(cls, text: str) -> str:
        if text and not _is_safe(text):
            raise ValueError("expected an https address, or http on this machine, without user and password")
        return text

    @field_validator("signing_keys")
    @classmethod
    def _are_secrets(cls, text: SecretStr) -> SecretStr:
        secrets_of(text.get_secret_value())
        return text

    @model_validator(mode="after")
    def _has_one_authentication(self) -> Self:
        if self.user and self.bearer_token.get_secret_value():
            raise ValueError("both a user and a bearer token are set; expected one of them")
        return self


def _is_safe(text: str) -> bool:
    try:
        url = URL(text)
    except ValueError:
        return False
    if not url.host or url.user is not None or url.password is not None:
        return False
    return url.scheme == "https" or (url.scheme == "http" and _is_local(url.host))


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # a name
        return False
