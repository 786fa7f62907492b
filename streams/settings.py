"""Every setting: name, default and description. Read from the environment or a file, checked at the start.

A setting ``name`` is read from ``HOMEROOM_NAME``, else from ``homeroom.env`` in the working directory
(or the file that ``HOMEROOM_SETTINGS`` names). ``docs/settings.md`` is generated from here.
"""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.batch.admission import Timing
from engine.pseudonyms import Identity
from engine.rules import Rules
from engine.state.earlier_ids import DEFAULT_CAPACITY
from features.event_days import event_days
from nudges.levels import LevelSettings
from nudges.policy import Cap, Policy
from schemas.errors import HomeroomError
from sinks.address import StoreAddress
from streams.pace import Pace

DEMO_KEY = "homeroom-demo"
MIN_KEY_CHARS = 16
"""Least characters of a live installation's secret."""

_PASSWORD = re.compile(r"//([^:/@]*):.*@")

LEVELS, POLICY = LevelSettings(), Policy()
"""Their defaults are the settings' defaults, too."""

Kind = TypeVar("Kind", bound=BaseSettings)


class SettingsError(HomeroomError, ValueError):
    """Settings are wrong. The message has one readable line for each."""


class Settings(BaseSettings):
    """The settings of a worker and of the commands."""

    model_config = SettingsConfigDict(
        env_prefix="HOMEROOM_", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    broker: str = Field("127.0.0.1:9092", description="Kafka, `host:port`, several with commas between")
    partitions: Annotated[int, Field(ge=1, le=1000)] = Field(
        4, description="partitions of the input topics; for good, since state lies by partition"
    )
    replication: Annotated[int, Field(ge=1, le=10)] = Field(
        1, description="replicas of topics that are created"
    )
    prefix: str = Field(
        "", max_length=64, description="before every topic's name: several pipelines on one broker"
    )
    group: str = Field("homeroom", min_length=1, description="the consumer group, the same for all workers")
    store: str = Field(
        "clickhouse://default@127.0.0.1:9000/homeroom",
        repr=False,  # may hold a password
        description="ClickHouse, `clickhouse://user@host:port/database` (clickhouses: TLS); empty for none",
    )
    store_password: SecretStr = Field(
        SecretStr(""), description="the store's password, kept out of the address"
    )
    store_reader: str = Field(
        "",
        description="the store's user for the console and `homeroom query`: one that may read and no more, "
        "with bounds in its profile (`clickhouse/users.d/reader.xml`); empty for the address's user",
    )
    store_reader_password: SecretStr = Field(SecretStr(""), description="and that user's password")
    pseudonym_key: SecretStr = Field(
        SecretStr(""),
        description="secret of the pseudonyms that learners have in the store; at least 16 characters",
    )
    sources: Path | None = Field(
        None,
        description="the list of sources, a YAML file: which topics hold which format, for "
        "`homeroom ingest`, and own names and meanings, for all that reads a format (`docs/formats/`)",
    )
    ingest_metrics_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        9466, description="where Prometheus scrapes the ingest; 0 for nowhere"
    )
    clock: Literal["live", "replay"] = Field(
        "live", description="*live* trusts the broker's time, *replay* the source's clock ticks"
    )
    time_zone: str = Field(
        "UTC",
        description="the time zone of the days, an IANA name such as `America/Lima`: the one in which most "
        "learners live. A state that holds days of another zone is refused",
    )
    lateness_hours: Annotated[float, Field(ge=0, le=72)] = Field(
        6.0, description="how long after a moment its events may come without missing their day's close"
    )
    tolerance_hours: Annotated[float, Field(ge=0, le=24 * 30)] = Field(
        48.0, description="how far ahead of the clock an event may be before it is a dead letter"
    )
    remembered_event_ids: Annotated[int, Field(ge=0, le=100_000_000)] = Field(
        DEFAULT_CAPACITY,
        description="event ids that a partition remembers for 28 days, at eight bytes each, so that an event "
        "which is sent again counts once; beyond it the oldest days are forgotten, but for the last two",
    )
    barrier_s: Annotated[float, Field(gt=0)] = Field(
        60.0,
        description="live: how long a partition waits for a day package before it goes on with the last one",
    )
    idle_s: Annotated[float, Field(gt=0)] = Field(
        60.0, description="live: after how long without events the wall clock moves a partition's watermark"
    )
    checkpoint_s: Annotated[float, Field(gt=0, le=300)] = Field(
        5.0, description="how often state is flushed and offsets are acked"
    )
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = Field(
        4000, description="the most records in a batch"
    )
    fetch_wait_ms: Annotated[int, Field(ge=1, le=10_000)] = Field(
        20, description="how long the broker may keep an empty fetch open"
    )
    backlog_records: Annotated[int, Field(ge=1)] = Field(
        12_000, description="records that may wait in a worker before a partition is no longer fetched"
    )
    session_timeout_s: Annotated[float, Field(ge=1, le=300)] = Field(
        30.0, description="after how long a silent worker has lost its partitions"
    )
    stop_s: Annotated[float, Field(ge=1, le=600)] = Field(
        25.0,
        description="how long a worker that is told to stop may take for its last checkpoint; then it ends "
        "as it is, and what is not acked comes again. Less than what a supervisor waits before it kills",
    )
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        9464, description="where Prometheus scrapes the worker; 0 for nowhere"
    )
    metrics_host: str = Field("127.0.0.1", description="the address that the metrics are served on")
    console_keys: str = Field(
        "", description="file of the console's API keys; `homeroom console-key` makes one"
    )
    console_roster: str = Field(
        "", description="CSV file with the columns learner and name: whom the console shows by name"
    )
    console_host: str = Field("127.0.0.1", description="the address that the console is served on")
    console_port: Annotated[int, Field(ge=1, le=65_535)] = Field(8080, description="and its port")
    console_public_url: str = Field(
        "",
        pattern=r"^(https?://[^/?#@\\\s]+/?)?$",
        description="the address that browsers know the console by, such as `https://homeroom.example`, "
        "where a proxy asks for it by another name",
    )
    console_proxies: str = Field(
        "127.0.0.1",
        description="addresses of proxies, with commas, whose X-Forwarded-For and -Proto are believed: wrong "
        "keys are counted by the address behind them",
    )
    console_secret: SecretStr = Field(
        SecretStr(""),
        description="signs the console's sessions, at least 32 characters; the same for all processes that "
        "serve it. A random one of each process if empty: its sessions end with it",
    )
    medium_enter: float = Field(
        LEVELS.medium_enter, description="the level *medium* is entered at this P(lost)"
    )
    medium_leave: float = Field(LEVELS.medium_leave, description="and left below this one")
    high_enter: float = Field(LEVELS.high_enter, description="the level *high* is entered at this P(lost)")
    high_leave: float = Field(LEVELS.high_leave, description="and left below this one")
    confirm_days: int = Field(
        LEVELS.confirm_days, description="daily estimates in a row that a change of level takes"
    )
    policy: Path | None = Field(
        None, description="a policy file, or a folder of them; the default policy where none is named"
    )
    unsure_band: float = Field(
        LEVELS.unsure_band, description="an estimate less far than this beyond a bound is unsure"
    )
    unsure_days: int = Field(
        LEVELS.unsure_days, description="unsure estimates in a row that a change of level takes"
    )
    cap_days: Annotated[int, Field(ge=1, le=365)] = Field(
        POLICY.caps[0].days, description="default policy: least days between two nudges of a learner"
    )
    holdout_share: Annotated[float, Field(ge=0, le=1)] = Field(
        POLICY.holdout_share,
        description="default policy: share of enrolments that get no nudge, to know what nudges do",
    )
    nudges_delivered: bool = Field(
        True,
        description="whether nudges reach learners: then only those left alone teach the model what happens "
        "when nobody does anything. False where recorded learners are replayed who were sent none",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="of the worker's own log"
    )

    @field_validator("broker")
    @classmethod
    def _is_an_address(cls, broker: str) -> str:
        for host in broker.split(","):
            name, _, port = host.rpartition(":")
            if not name or not port.isdigit():
                raise ValueError(f"found {broker!r}; expected host:port, several with commas between")
        return broker

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        return event_days(zone).zone

    @field_validator("store")
    @classmethod
    def _is_a_store(cls, store: str) -> str:
        if store:
            StoreAddress.parse(store)
        return store

    @property
    def rules(self) -> Rules:
        """The processors' rules.

        Raises:
            ValueError: bounds contradict each other.
        """
        return Rules(
            timing=Timing(
                lateness=round(self.lateness_hours * 3600),
                tolerance=round(self.tolerance_hours * 3600),
                clock=self.clock,
                zone=self.time_zone,
            ),
            levels=LevelSettings(
                medium_enter=self.medium_enter,
                medium_leave=self.medium_leave,
                high_enter=self.high_enter,
                high_leave=self.high_leave,
                confirm_days=self.confirm_days,
                unsure_band=self.unsure_band,
                unsure_days=self.unsure_days,
            ),
            policy=Policy(caps=(Cap(most=1, days=self.cap_days),), holdout_share=self.holdout_share),
            nudges_delivered=self.nudges_delivered,
            event_id_capacity=self.remembered_event_ids,
        )

    @property
    def pace(self) -> Pace:
        """The runners' intervals and limits. Replays wait for the barrier without limit, and never idle."""
        live = self.clock == "live"
        return Pace(
            checkpoint=self.checkpoint_s,
            barrier=self.barrier_s if live else None,
            idle=self.idle_s if live else None,
            backlog=self.backlog_records,
        )

    @property
    def identity(self) -> Identity:
        """The key of the learners' pseudonyms."""
        return Identity(self.pseudonym_key.get_secret_value().encode()[:64])

    @property
    def store_address(self) -> StoreAddress | None:
        """The store with its password, None where the worker runs without one."""
        if not self.store:
            return None
        address = StoreAddress.parse(self.store)
        password = self.store_password.get_secret_value()
        if not password:
            return address
        return replace(address, password=password)

    @property
    def reader_address(self) -> StoreAddress | None:
        """The store's address for readers, None where there is no store."""
        address = self.store_address
        if address is None or not self.store_reader:
            return address
        password = self.store_reader_password.get_secret_value()
        return replace(address, user=self.store_reader, password=password, bounded=True)


def load(**overrides: object) -> Settings:
    """The settings in force; ``overrides`` come before the environment, those that are None excepted.

    Raises:
        SettingsError: one line for each setting that is wrong.
    """
    settings = load_kind(Settings, overrides)
    try:
        settings.rules  # noqa: B018 - bounds are checked against each other when they are put together
    except ValueError as error:
        raise SettingsError(f"settings contradict each other: {error}") from None
    return settings


def load_kind(kind: type[Kind], overrides: dict[str, object]) -> Kind:
    """Settings of any class from the environment and the file.

    Raises:
        SettingsError: like ``load``.
    """
    settings_file = os.environ.get("HOMEROOM_SETTINGS")
    file = Path(settings_file or "homeroom.env")
    if settings_file and not file.is_file():
        raise SettingsError(
            f"HOMEROOM_SETTINGS is {settings_file!r}: nothing is there; expected a file of settings"
        )
    chosen: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    try:
        return kind(_env_file=file if file.is_file() else None, **chosen)
    except ValidationError as errors:
        prefix = kind.model_config["env_prefix"]
        lines = [_line(prefix, error) for error in errors.errors(include_url=False, include_context=False)]
        raise SettingsError("\n".join(lines)) from None


def masked(settings: BaseSettings, name: str) -> str:
    """A setting's value as it may be shown: secrets as stars, an address without its password."""
    return _mask_password(str(getattr(settings, name)))


def _mask_password(text: str) -> str:
    return _PASSWORD.sub(r"//\1:…@", text)


def _line(prefix: str, error: object) -> str:
    details = dict(error)  # type: ignore[call-overload]
    name = prefix + "_".join(str(part) for part in details["loc"]).upper()
    secret = any(word in name.lower() for word in ("key", "password", "token"))
    value = "" if secret else f" is {_mask_password(repr(details['input']))}"
    message = str(details["msg"]).removeprefix("Value error, ")
    return f"{name}{value}: {message[0].lower()}{message[1:]}"
