"""The nudge policy as data: who is told what, when not, and how often at most.

A :class:`Policy` is a value that can be written down, compared and stored. Its version derives from its
content, so that a row of the ledger names exactly the rules it was decided by. This module only holds
and checks the rules; :mod:`nudges.decisions` applies them.
"""

from functools import cached_property
from hashlib import blake2b
from string import Template
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nudges.assignment import MAX_KEY_BYTES
from nudges.quiet_hours import QuietHours, exists
from schemas.fields import Fraction
from schemas.learner import Channel
from schemas.risk import Reason, RiskLevel

NO_CAMPAIGN = "none"
"""What the ledger calls the campaign of a change that no campaign is for."""

PLACEHOLDERS = frozenset({"course_run", "reason"})
"""What a text may name with a ``$``."""

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class Rule(BaseModel):
    """Base of the policy's parts: immutable, and an unknown setting is an error rather than a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Suggestion(Rule):
    """What to say when the main reason is about something: a text for some features.

    ``features`` are beginnings of feature names; empty fits every reason, and no reason at all. ``text``
    may name ``$course_run`` and ``$reason``, the main reason in words.
    """

    about: Name
    features: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    text: Annotated[str, Field(min_length=1, max_length=2000)]

    @field_validator("text")
    @classmethod
    def _names_only_what_there_is(cls, text: str) -> str:
        template = Template(text)
        if not template.is_valid():
            raise ValueError(f"text is {text!r}; expected $$ for a dollar sign, or $ and a name")
        unknown = set(template.get_identifiers()) - PLACEHOLDERS
        if unknown:
            raise ValueError(f"text names {sorted(unknown)}; expected only {sorted(PLACEHOLDERS)}")
        return text

    def fits(self, reason: Reason | None) -> bool:
        """Whether this is about the reason."""
        return not self.features or (reason is not None and reason.feature.startswith(self.features))

    def words(self, course_run: str, reason: Reason | None) -> str:
        """The text with its placeholders filled. Values are inserted, never interpreted."""
        return Template(self.text).substitute(course_run=course_run, reason=reason.text if reason else "")


class Campaign(Rule):
    """One kind of nudge: the transitions it answers, its goal, its channel and its words."""

    name: Name
    transitions: Annotated[tuple[tuple[RiskLevel, RiskLevel], ...], Field(min_length=1)]
    goal: Annotated[str, Field(min_length=1, max_length=200)]
    channel: Channel
    suggestions: Annotated[tuple[Suggestion, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.name == NO_CAMPAIGN:
            raise ValueError(f"name is {NO_CAMPAIGN!r}; expected another, that one means no campaign")
        for before, after in self.transitions:
            if before == after:
                raise ValueError(f"transitions has {before} → {after}; expected two different levels")
        if self.suggestions[-1].features:
            raise ValueError(
                f"suggestions ends with {self.suggestions[-1].about!r}, which is for some features only; "
                "expected a last one for every reason (features empty)"
            )
        return self

    def suggestion(self, reason: Reason | None) -> Suggestion:
        """The first suggestion that fits the main reason; the last one fits any."""
        return next(suggestion for suggestion in self.suggestions if suggestion.fits(reason))


REACH_OUT = Campaign(
    name="reach-out",
    transitions=(("low", "high"), ("medium", "high")),
    goal="active again in the course within 7 days",
    channel="email",
    suggestions=(
        Suggestion(
            about="deadlines",
            features=("missed", "late", "early", "ahead", "since_submission", "due", "next_due"),
            text="A deadline in $course_run has gone by without your work. It is often not too late: "
            "hand in what you have, or ask your tutor for more time.",
        ),
        Suggestion(
            about="scores",
            features=("score", "points"),
            text="The last results in $course_run were hard going. Look at the feedback on one of them, "
            "and take one question about it to the forum.",
        ),
        Suggestion(
            about="silence",
            features=("silence", "gap"),
            text="We have not seen you in $course_run for a while. Twenty minutes are enough to come back: "
            "open the week you stopped at and read one page.",
        ),
        Suggestion(
            about="activity",
            text="$course_run has had less of your time lately. Pick one small task of this week and set "
            "a time for it.",
        ),
    ),
)
"""The one campaign of the first policy. Another for medium would use up the cap before high is reached."""


class Policy(Rule):
    """Every rule of nudging. The defaults are the first policy.

    ``cap_days`` is the least time between two nudges of one learner, in all courses together;
    ``quiet_hours`` are in the learner's own zone, or in ``default_timezone`` where it is not known;
    ``expires_after_hours`` count from the earliest moment of sending; ``holdout_share`` of the enrolments
    get no nudge, drawn under ``holdout_key``. Until a first course run has taught the model, levels rest on
    the recency prior; ``nudge_while_warming_up`` says whether that is enough to write to people.
    """

    name: Name = "first"
    campaigns: Annotated[tuple[Campaign, ...], Field(min_length=1)] = (REACH_OUT,)
    cap_days: Annotated[int, Field(ge=1, le=365)] = 7
    quiet_hours: QuietHours | None = QuietHours()
    default_timezone: str = "UTC"
    expires_after_hours: Annotated[int, Field(ge=1, le=720)] = 72
    nudge_while_warming_up: bool = False
    holdout_share: Fraction = 0.1
    holdout_key: Annotated[str, Field(min_length=1)] = "homeroom-holdout-1"

    @field_validator("default_timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        if not exists(name):
            raise ValueError(f"default_timezone is {name!r}; expected an IANA name such as Europe/Berlin")
        return name

    @field_validator("holdout_key")
    @classmethod
    def _fits_the_hash(cls, key: str) -> str:
        if len(key.encode()) > MAX_KEY_BYTES:
            raise ValueError(f"holdout_key has {len(key.encode())} bytes; expected at most {MAX_KEY_BYTES}")
        return key

    @model_validator(mode="after")
    def _is_unambiguous(self) -> Self:
        names: set[str] = set()
        answered: dict[tuple[str, str], str] = {}
        for campaign in self.campaigns:
            if campaign.name in names:
                raise ValueError(f"campaigns has two named {campaign.name!r}; expected different names")
            names.add(campaign.name)
            for transition in campaign.transitions:
                if transition in answered:
                    raise ValueError(
                        f"campaigns {answered[transition]!r} and {campaign.name!r} both answer "
                        f"{' → '.join(transition)}; expected one"
                    )
                answered[transition] = campaign.name
        return self

    @cached_property
    def version(self) -> str:
        """The name and 12 hex characters of the content's hash: any change of a rule is another version."""
        return f"{self.name}-{blake2b(self.model_dump_json().encode(), digest_size=6).hexdigest()}"

    def campaign(self, previous: RiskLevel, level: RiskLevel) -> Campaign | None:
        """The campaign that answers a transition, if there is one."""
        for campaign in self.campaigns:
            if (previous, level) in campaign.transitions:
                return campaign
        return None
