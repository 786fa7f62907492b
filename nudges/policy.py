"""The nudge policy as data: which message goes to whom, when not, and how often at most.

A :class:`Policy` is a value that can be written down, compared and stored. Its version derives from its
content, so that a row of the ledger names exactly the rules it was decided by. This module only holds
and checks the rules: :mod:`nudges.policy_file` reads them from YAML, :mod:`nudges.decisions` applies them.
"""

import re
from collections.abc import Sequence
from datetime import date, time
from functools import cached_property
from hashlib import blake2b
from string import Template
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from nudges.assignment import MAX_KEY_BYTES
from nudges.quiet_hours import QuietHours
from schemas.fields import Fraction
from schemas.learner import Channel
from schemas.nudge import DecisionReason
from schemas.risk import MEMORY, MODEL, RUN, Reason, RiskChange, RiskLevel
from schemas.zones import is_zone_name

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

NO_CAMPAIGN = "none"
"""What the ledger calls the campaign of a change that no campaign is for."""

Phase = Literal["start", "middle", "end"]
"""Of a course run: its first quarter, its last, and the time between."""
PHASES: tuple[Phase, ...] = get_args(Phase)

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)

Approval = Literal["automatic", "instructor"]
Choosing = Literal["weights", "outcomes"]

PLACEHOLDERS = ("course_run", "reason", "goal")
"""The placeholders that a text may use, each after a ``$``."""

MAX_CAP_DAYS = 90
"""Days for which a learner's messages are kept in the record."""

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]


NESTED_ERROR = "at"
"""The type of a pydantic error about a part of the value that was validated; its context has the path."""


def _error_at(message: str, *path: str | int) -> PydanticCustomError:
    """An error about a part of the value that is validated, so that the line of a file can be named."""
    return PydanticCustomError(NESTED_ERROR, "{message}", {"message": message, "path": path})


def _require_distinct(setting: str, names: Sequence[str], *path: str | int) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _error_at(f"{setting} has two named {name!r}; expected different names", *path, index)


class Rule(BaseModel):
    """Base of the policy's parts: immutable, and an unknown setting is an error rather than a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Suggestion(Rule):
    """A text for main reasons about some features.

    The first suggestion of a variant that fits the main reason is used; the last one must fit any.
    """

    about: Name = Field(description="a name for it")
    features: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), description="beginnings of feature names; none fits every reason, and no reason at all"
    )
    text: Annotated[str, Field(min_length=1, max_length=2000)] = Field(
        description="may name `$course_run`, `$reason` (the main reason in words) and `$goal`"
    )

    @field_validator("text")
    @classmethod
    def _has_known_placeholders(cls, text: str) -> str:
        template = Template(text)
        if not template.is_valid():
            raise ValueError(f"text is {text!r}; expected $$ for a dollar sign, or $ and a name")
        unknown = set(template.get_identifiers()) - set(PLACEHOLDERS)
        if unknown:
            raise ValueError(f"text names {sorted(unknown)}; expected only {sorted(PLACEHOLDERS)}")
        return text

    def fits(self, reason: Reason | None) -> bool:
        """Whether this text is for the reason."""
        return not self.features or (reason is not None and reason.feature.startswith(self.features))

    def render(self, variables: dict[str, str]) -> str:
        """The text with its placeholders replaced. Values are inserted, never interpreted."""
        return Template(self.text).substitute(variables)


class Variant(Rule):
    """One wording of a campaign. Which one an enrolment gets is drawn, and stays the same."""

    name: Name = Field(description="what the ledger and the comparison call it")
    weight: Annotated[float, Field(gt=0, le=1000)] = Field(
        1.0, description="its share of the draws is this over the sum of all weights"
    )
    suggestions: Annotated[tuple[Suggestion, ...], Field(min_length=1)] = Field(
        description="texts by what the main reason is about"
    )

    @model_validator(mode="after")
    def _ends_with_a_default(self) -> Self:
        if self.suggestions[-1].features:
            raise _error_at(
                f"suggestions ends with {self.suggestions[-1].about!r}, which is for some features only; "
                "expected a last one for every reason (no features)",
                "suggestions",
                len(self.suggestions) - 1,
            )
        return self

    def suggestion(self, reason: Reason | None) -> Suggestion:
        """The first suggestion that fits the main reason; the last one fits any."""
        return next(suggestion for suggestion in self.suggestions if suggestion.fits(reason))


class Campaign(Rule):
    """One kind of nudge: the changes that it answers, its goal, its channels and its texts."""

    name: Name = Field(description="what the ledger calls it")
    transitions: Annotated[tuple[tuple[RiskLevel, RiskLevel], ...], Field(min_length=1)] = Field(
        description="the changes of level it answers, each `[from, to]`"
    )
    reasons: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), description="beginnings of the main reason's feature that it answers; none for any"
    )
    phases: tuple[Phase, ...] = Field(
        (),
        description="of the course run: `start` (first quarter), `middle`, `end` (last one); none for any",
    )
    goal: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="what it wants to bring about"
    )
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)] = Field(
        description="in the order of preference; the first that learner and caps leave open is used"
    )
    approval: Approval = Field(
        "automatic", description="`instructor`: proposed first, sent after an instructor's yes"
    )
    expires_after_hours: Annotated[int, Field(ge=1, le=720)] = Field(
        72, description="how long the reason is taken to hold, from the decision; never sent later"
    )
    variants: Annotated[tuple[Variant, ...], Field(min_length=1)] = Field(description="ways to say it")
    choosing: Choosing = Field(
        "weights",
        description="`weights`: drawn by the variants' weights, once an enrolment; `outcomes`: anew each "
        "time, and the more often the better a variant has done for such learners",
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.name == NO_CAMPAIGN:
            raise _error_at(f"name is {NO_CAMPAIGN!r}; expected another, that one means no campaign", "name")
        for index, (before, after) in enumerate(self.transitions):
            if before == after:
                message = f"transitions has {before} → {after}; expected two different levels"
                raise _error_at(message, "transitions", index)
        if self.choosing == "outcomes" and self.approval == "instructor":
            raise _error_at(
                "choosing is 'outcomes' and approval 'instructor'; expected one of them only: by the time of "
                "the yes another variant might be chosen than the one that was proposed",
                "choosing",
            )
        _require_distinct("variants", [variant.name for variant in self.variants], "variants")
        _require_distinct("channels", self.channels, "channels")
        _require_distinct("phases", self.phases, "phases")
        return self

    @property
    def answers_all(self) -> bool:
        """Whether it answers every change with its transitions, whatever the reason and the phase."""
        return not self.reasons and not self.phases

    def variables(self, course_run: str, main: Reason | None) -> dict[str, str]:
        """The values of the placeholders of its texts, given the main reason."""
        return {"course_run": course_run, "reason": main.text if main else "", "goal": self.goal}

    def variant(self, name: str) -> Variant:
        """The variant of a name.

        Raises:
            KeyError: there is none.
        """
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise KeyError(f"campaign {self.name!r} has no variant {name!r}")


class Cap(Rule):
    """At most so many messages in any window of so many days; a window is half-open.

    Messages of all courses count, and those that other systems reported as sent.
    """

    most: Annotated[int, Field(ge=1, le=100)] = Field(description="messages to one learner")
    days: Annotated[int, Field(ge=1, le=MAX_CAP_DAYS)] = Field(description="length of the rolling window")
    channel: Channel | None = Field(None, description="count only messages on this channel")
    campaign: Name | None = Field(None, description="count only messages of this campaign")


class StudyTime(Rule):
    """Send when the learner usually studies: the busiest hour of their week that comes soon enough."""

    within_hours: Annotated[int, Field(ge=1, le=168)] = Field(48, description="how long it may wait for it")


class Digest(Rule):
    """When learners who prefer a digest get theirs, in local time; what is due by then is one message."""

    weekday: Weekday | None = Field("monday", description="the day of the week; `null`: every day")
    at: time | None = Field(
        time(9),
        description="the time of day; `null`: the hour of that day at which the learner usually studies, or "
        "nine where none is known",
    )
    expires_after_hours: Annotated[int, Field(ge=1, le=720)] = Field(
        192,
        description="how long the reason of a nudge that waits for it is taken to hold, from the decision: "
        "instead of the campaign's",
    )

    @field_validator("at")
    @classmethod
    def _is_local(cls, at: time | None) -> time | None:
        if at is not None and at.tzinfo is not None:
            raise ValueError(f"at is {at}; expected a local time without a zone")
        return at


REACH_OUT = Campaign(
    name="reach-out",
    transitions=(("low", "high"), ("medium", "high")),
    goal="active again in the course within 7 days",
    channels=("email",),
    variants=(
        Variant(
            name="plain",
            suggestions=(
                Suggestion(
                    about="deadlines",
                    features=("missed", "late", "early", "ahead", "since_submission", "due", "next_due"),
                    text="A deadline in $course_run has gone by without your work. It is often not too late: "
                    "hand in what you have, or ask your tutor for more time.",
                ),
                Suggestion(
                    about="scores",
                    features=("score", "points", "earned", "reachable"),
                    text="The last results in $course_run were hard going. Look at the feedback on one of "
                    "them, and take one question about it to the forum.",
                ),
                Suggestion(
                    about="silence",
                    features=("silence", "gap"),
                    text="We have not seen you in $course_run for a while. Twenty minutes are enough to come "
                    "back: open the week you stopped at and read one page.",
                ),
                Suggestion(
                    about="activity",
                    text="$course_run has had less of your time lately. Pick one small task of this week and "
                    "set a time for it.",
                ),
            ),
        ),
    ),
)
"""The one campaign of the first policy. Another for medium would use up the cap before high is reached."""


class Policy(Rule):
    """Every rule of nudging. The defaults are the first policy."""

    name: Name = Field("first", description="the beginning of the version that the ledger names")
    effective_from: date | None = Field(
        None, description="the first event day (UTC) on which it decides; none: it always has"
    )
    campaigns: Annotated[tuple[Campaign, ...], Field(min_length=1)] = Field(
        (REACH_OUT,), description="the first one that answers a change is used"
    )
    caps: tuple[Cap, ...] = Field((Cap(most=1, days=7),), description="all of them hold")
    quiet_hours: QuietHours | None = Field(
        QuietHours(), description="local times between which nothing is sent, `start` and `end`; or `null`"
    )
    study_time: StudyTime | None = Field(
        StudyTime(), description="wait for the hour at which the learner usually studies; or `null`"
    )
    digest: Digest = Field(Digest(), description="when learners who prefer a digest get theirs")
    default_timezone: str = Field(
        "UTC", description="for learners whose zone is not known, or is no IANA name"
    )
    nudge_while_warming_up: bool = Field(
        False, description="whether the recency prior, before there is a model, is enough to write to people"
    )
    holdout_share: Fraction = Field(0.1, description="share of enrolments that get no nudge, to compare with")
    holdout_key: Annotated[str, Field(min_length=1)] = Field(
        "homeroom-holdout-1", description="names the draws of holdout and variants; another key draws anew"
    )

    @field_validator("effective_from", mode="before")
    @classmethod
    def _is_a_day(cls, day: object) -> object:
        if isinstance(day, str) and not _DAY.fullmatch(day):  # numbers would be taken for seconds since 1970
            raise ValueError(f"effective_from is {day!r}; expected a date such as 2026-02-01")
        return day

    @field_validator("default_timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        if not is_zone_name(name):
            raise ValueError(f"default_timezone is {name!r}; expected an IANA name such as Europe/Berlin")
        return name

    @field_validator("holdout_key")
    @classmethod
    def _fits_the_hash(cls, key: str) -> str:
        if len(key.encode()) > MAX_KEY_BYTES:
            raise ValueError(f"holdout_key has {len(key.encode())} bytes; expected at most {MAX_KEY_BYTES}")
        return key

    @field_validator("campaigns")
    @classmethod
    def _are_reachable(cls, campaigns: tuple[Campaign, ...]) -> tuple[Campaign, ...]:
        _require_distinct("campaigns", [campaign.name for campaign in campaigns])
        answered: dict[tuple[str, str], str] = {}
        for position, campaign in enumerate(campaigns):
            for index, transition in enumerate(campaign.transitions):
                if transition in answered:
                    raise _error_at(
                        f"campaign {answered[transition]!r} answers {' → '.join(transition)} always, so "
                        f"{campaign.name!r} after it never would; expected the one with conditions first",
                        *(position, "transitions", index),
                    )
                if campaign.answers_all:
                    answered[transition] = campaign.name
        return campaigns

    @model_validator(mode="after")
    def _caps_name_campaigns(self) -> Self:
        names = {campaign.name for campaign in self.campaigns}
        for index, cap in enumerate(self.caps):
            if cap.campaign is not None and cap.campaign not in names:
                message = f"caps names campaign {cap.campaign!r}; expected one of {sorted(names)}"
                raise _error_at(message, "caps", index, "campaign")
        return self

    @cached_property
    def version(self) -> str:
        """The name and 12 hex characters of the content's hash: every change gives another version."""
        return f"{self.name}-{blake2b(self.model_dump_json().encode(), digest_size=6).hexdigest()}"

    def campaign(self, change: RiskChange, phase: Phase | None) -> Campaign | DecisionReason:
        """The first campaign that answers a change, or why none does.

        ``phase`` is None where the run's calendar is not known: then only campaigns for all phases answer.
        """
        refusal: DecisionReason = "level_not_nudged"
        main = main_reason(change)
        for campaign in self.campaigns:
            if (change.previous_level, change.level) not in campaign.transitions:
                continue
            if campaign.reasons and (main is None or not main.feature.startswith(campaign.reasons)):
                refusal = "reason_not_nudged" if refusal == "level_not_nudged" else refusal
            elif campaign.phases and phase not in campaign.phases:
                refusal = "phase_not_nudged"
            else:
                return campaign
        return refusal


def raising_reasons(change: RiskChange) -> list[Reason]:
    """The reasons that raise the risk and are about the learner, the heaviest first."""
    own_reasons = (reason for reason in change.reasons if reason.feature not in (MODEL, MEMORY, RUN))
    raising = [reason for reason in own_reasons if reason.contribution > 0]
    return sorted(raising, key=lambda reason: -reason.contribution)


def main_reason(change: RiskChange) -> Reason | None:
    """The reason that raises the risk most; None where none does."""
    return next(iter(raising_reasons(change)), None)


def phase_of(elapsed: float) -> Phase:
    """The phase of a run of which the share ``elapsed``, in [0, 1], has passed."""
    return "start" if elapsed < 0.25 else "end" if elapsed >= 0.75 else "middle"
