"""Renders nudges for a channel: Jinja templates, escaped, in a sandbox.

What comes from a topic or an address book is a value, never a template: nothing in it is evaluated, and in
HTML it is escaped. A custom folder may replace any template by its name: for all nudges, for those of a
campaign in a folder of its name, for one of its variants in a folder within that. A digest of several nudges
has templates of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, PackageLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notifier.addresses import Contact
from notifier.errors import NotifierError
from notifier.links import PURPOSES, Purpose
from schemas.errors import HomeroomError
from schemas.learner import Channel
from schemas.nudge import Nudge

MAX_SUBJECT = 120

PARTS: Mapping[Channel, tuple[str, str, str]] = {
    "email": ("email-subject.txt", "email.txt", "email.html"),
    "sms": ("", "short.txt", ""),
    "push": ("short-title.txt", "short.txt", ""),
    "in_app": ("short-title.txt", "short.txt", ""),
    "instructor": ("instructor-title.txt", "instructor.txt", ""),
}
"""Channel → the templates of its title, its text and its HTML; empty where the channel has no such part."""

DIGEST_PARTS: Mapping[Channel, tuple[str, str, str]] = {
    "email": ("digest-subject.txt", "digest-email.txt", "digest-email.html"),
    "sms": ("", "digest-short.txt", ""),
    "push": ("digest-subject.txt", "digest-short.txt", ""),
    "in_app": ("digest-subject.txt", "digest-short.txt", ""),
    "instructor": ("digest-instructor-title.txt", "digest-instructor.txt", ""),
}
"""The same for a digest of several nudges."""

SAMPLE: Mapping[str, Any] = {
    **dict.fromkeys(("name", "text", "course_run", "campaign", "variant", "goal", "suggestion"), "a"),
    "reasons": ["a"],
    "links": dict.fromkeys(PURPOSES, "https://example.org"),
}
"""The variables of a template, with sample values."""
DIGEST_SAMPLE: Mapping[str, Any] = {"name": "a", "nudges": [SAMPLE, SAMPLE], "links": SAMPLE["links"]}
"""The variables of a digest's template; each of the ``nudges`` has those of a single one."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The rendered text of one message; ``html`` is empty where the channel has text only."""

    title: str
    text: str
    html: str


class TemplateFailedError(HomeroomError, RuntimeError):
    """A template cannot be rendered for this message."""


class Templates:
    """The shipped templates, overridden by those in ``folder``. Each is rendered once as a check.

    Raises:
        NotifierError: Jinja cannot parse a template, or it uses an unknown variable.
    """

    def __init__(self, folder: Path | None = None) -> None:
        loaders: list[BaseLoader] = [FileSystemLoader(folder)] if folder else []
        self._environment = ImmutableSandboxedEnvironment(
            loader=ChoiceLoader([*loaders, PackageLoader("notifier")]),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        for name in self._environment.list_templates(extensions=["txt", "html"]):
            try:
                self._fill([name], DIGEST_SAMPLE if name.startswith("digest-") else SAMPLE)
            except TemplateFailedError as error:
                raise NotifierError(f"{error}: {error.__cause__}") from None

    def render(
        self, nudges: Sequence[Nudge], contact: Contact, links: Sequence[Mapping[Purpose, str]]
    ) -> Rendered:
        """Render a nudge, or several as a digest; ``links``: each nudge's, those that there are.

        Raises:
            TemplateFailedError: a template cannot be rendered with these values.
        """
        filled = [
            _values(nudge, contact, nudge_links) for nudge, nudge_links in zip(nudges, links, strict=True)
        ]
        channel = nudges[0].channel
        if len(nudges) > 1:
            values = {"name": contact.name, "nudges": filled, "links": filled[0]["links"]}
            parts, folders = DIGEST_PARTS[channel], [""]
        else:
            campaign, variant = nudges[0].campaign, nudges[0].variant
            values, parts = filled[0], PARTS[channel]
            folders = [f"{campaign}/{variant}/", f"{campaign}/", ""]
        title, text, html = (
            self._fill([folder + part for folder in folders], values) if part else "" for part in parts
        )
        return Rendered(" ".join(title.split())[:MAX_SUBJECT], text.strip(), html.strip())

    def _fill(self, names: Sequence[str], values: Mapping[str, Any]) -> str:
        """Render the first template that exists."""
        try:
            return self._environment.select_template(names).render(values)
        except Exception as error:  # a custom template is a program: it may raise anything
            # Not the error's own words: they may quote the learner's name.
            raise TemplateFailedError(f"the template {names[-1]}: {type(error).__name__}") from error


def _values(nudge: Nudge, contact: Contact, links: Mapping[Purpose, str]) -> dict[str, Any]:
    return {
        "name": contact.name,
        "text": nudge.text,
        "course_run": nudge.course_run,
        "campaign": nudge.campaign,
        "variant": nudge.variant,
        "goal": nudge.goal,
        "suggestion": nudge.suggestion or "",
        "reasons": nudge.reasons,
        "links": {purpose: links.get(purpose, "") for purpose in PURPOSES},
    }
