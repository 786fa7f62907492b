"""The notifier's own settings, ``HOMEROOM_NOTIFIER_…``; those for Kafka are the common ones.

``docs/settings.md`` is generated from here too.
"""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.learner import Channel

Rate = Annotated[float, Field(gt=0, le=100_000)]


class NotifierSettings(BaseSettings):
    """The notifier's settings. URLs of providers contain passwords, so they are secrets as a whole."""

    model_config = SettingsConfigDict(
        env_prefix="HOMEROOM_NOTIFIER_", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    email_url: SecretStr = Field(
        SecretStr(""),
        description="Apprise URL of the mail server, such as "
        "`mailtos://user:password@smtp.example.org?from=nudges@example.org&to={address}`; empty for none",
    )
    sms_url: SecretStr = Field(
        SecretStr(""), description="of the SMS gateway, such as `twilio://SID:token@+15550100/{address}`"
    )
    push_url: SecretStr = Field(SecretStr(""), description="of the push service")
    in_app_url: SecretStr = Field(
        SecretStr(""),
        description="of the platform's own inbox, such as `jsons://lms.example.org/inbox`, which is told the "
        "learner's id",
    )
    instructor_url: SecretStr = Field(
        SecretStr(""), description="of where instructors are told, such as `slack://A/B/C/#tutors`"
    )
    addresses: str = Field(
        "",
        description="the address book: a .json or .csv file, or a URL with `{learner}` in it; empty where no "
        "provider needs an address",
    )
    addresses_token: SecretStr = Field(
        SecretStr(""), description="bearer token for an address book behind a URL"
    )
    public_url: str = Field(
        "",
        description="where learners reach this notifier, such as `https://nudges.example.org`, for the links "
        "in messages; needed to send e-mail",
    )
    link_key: SecretStr = Field(
        SecretStr(""),
        description="secret that signs the links; at least 16 characters, and another one makes those that "
        "have been sent void",
    )
    go_to: str = Field(
        "", description="where a learner should go on, with `{course_run}` in it; empty for no such link"
    )
    go_to_item: str = Field(
        "",
        description="where the suggested item is, with `{course_run}` and `{object}` in it; empty: as above",
    )
    track_opens: bool = Field(
        False, description="whether mails carry a picture that tells when they are opened"
    )
    templates: str = Field(
        "", description="a folder with templates of one's own, by the names of those in notifier/templates"
    )
    host: str = Field("127.0.0.1", description="the address that the links' endpoint listens on")
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(8090, description="and its port")
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        9465, description="where Prometheus scrapes the notifier; 0 for nowhere"
    )
    email_per_minute: Rate = Field(120.0, description="the most mails a minute")
    sms_per_minute: Rate = Field(60.0, description="the most SMS a minute")
    others_per_minute: Rate = Field(300.0, description="the most messages a minute on each other channel")

    @field_validator("public_url")
    @classmethod
    def _is_a_url(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("expected a URL that begins with https://")
        return url

    @property
    def providers(self) -> dict[Channel, str]:
        """The Apprise URLs of the channels that have one."""
        urls: dict[Channel, SecretStr] = {
            "email": self.email_url,
            "sms": self.sms_url,
            "push": self.push_url,
            "in_app": self.in_app_url,
            "instructor": self.instructor_url,
        }
        return {channel: url.get_secret_value() for channel, url in urls.items() if url.get_secret_value()}

    @property
    def rates(self) -> dict[Channel, float]:
        """Messages a minute by channel."""
        others = self.others_per_minute
        return {
            "email": self.email_per_minute,
            "sms": self.sms_per_minute,
            "push": others,
            "in_app": others,
            "instructor": others,
        }
