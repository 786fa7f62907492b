"""A policy from YAML text, and what is wrong with it, each with its line and column.

Scalars mean what the policy's model says they mean: YAML's own guesses (``no`` as false, ``21:00`` as the
number 1260) are not made, and a name given twice is an error. Only ``null`` and ``~`` without quotes stand
for nothing. No file is opened here: text in, policy out.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from nudges.policy import AT, Policy
from schemas.errors import HomeroomError

MAX_CHARACTERS = 200_000
"""A hundred long campaigns. The policy travels in every day package."""

NOTHING = ("null", "~", "")
SHOWN = 60
"""Characters of a wrong value that a problem repeats."""

EXPECTED = {
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected at least {ge}",
    "less_than_equal": "expected at most {le}",
    "literal_error": "expected {expected}",
    "string_pattern_mismatch": "expected lower-case letters, digits, - and _, a letter or digit first",
    "string_too_long": "expected at most {max_length} characters",
    "string_too_short": "expected a text",
    "too_short": "expected at least {min_length}, found {actual_length}",
}
"""pydantic's errors that a policy's author meets most, in the words of the others."""

Location = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a policy's text. Lines and columns count from 1."""

    line: int
    column: int
    place: str
    words: str

    def __str__(self) -> str:
        return (
            f"line {self.line}, column {self.column}: {self.place + ': ' if self.place else ''}{self.words}"
        )


class PolicyError(HomeroomError, ValueError):
    """A text is no policy. ``problems`` are in the order of their lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda one: (one.line, one.column, one.place)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def parse(text: str, features: Collection[str] = ()) -> Policy:
    """The policy that a text holds. Raises ``PolicyError`` with everything that is wrong with it.

    ``features``: the names that there are, where beginnings of names are to be checked against them.
    """
    root = _compose(text)
    repeated = list(_repeated(root))
    if repeated:
        raise PolicyError(repeated)
    try:
        policy = Policy.model_validate(_value(root))
    except ValidationError as errors:
        raise PolicyError(list(_problems(root, errors))) from None
    unknown = list(_unknown(root, policy, features)) if features else []
    if unknown:
        raise PolicyError(unknown)
    return policy


def _compose(text: str) -> MappingNode:
    if len(text) > MAX_CHARACTERS:
        raise PolicyError(
            [Problem(1, 1, "", f"has {len(text):,} characters; expected at most {MAX_CHARACTERS:,}")]
        )
    try:
        for token in yaml.scan(text, Loader=yaml.BaseLoader):
            if isinstance(token, yaml.AliasToken):  # a few of them could make a small text a huge policy
                mark = token.start_mark
                raise PolicyError([Problem(mark.line + 1, mark.column + 1, "", "aliases are not read")])
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        words = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise PolicyError([Problem(line, column, "", f"is not YAML: {words}")]) from None
    except yaml.YAMLError as error:
        raise PolicyError([Problem(1, 1, "", f"is not YAML: {error}")]) from None
    if not isinstance(root, MappingNode):
        raise PolicyError([Problem(1, 1, "", "expected a policy's settings, each as `name: value`")])
    return root


def _repeated(node: Node, place: Location = ()) -> Iterator[Problem]:
    """Names given twice in one mapping."""
    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                yield _at(key, (*place, name), "is given twice")
            seen.add(name)
            yield from _repeated(value, (*place, name))
    elif isinstance(node, SequenceNode):
        for number, value in enumerate(node.value):
            yield from _repeated(value, (*place, number))


def _value(node: Node) -> Any:
    if isinstance(node, MappingNode):
        return {str(key.value): _value(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [_value(value) for value in node.value]
    plain = isinstance(node, ScalarNode) and node.style is None
    return None if plain and node.value in NOTHING else node.value


def _problems(root: Node, errors: ValidationError) -> Iterator[Problem]:
    """One for each error; a list is not also said to be too short because its only item is wrong."""
    found: list[dict[str, Any]] = [dict(error) for error in errors.errors(include_url=False)]
    for error in found:
        within = (other["loc"] for other in found if len(other["loc"]) > len(error["loc"]))
        if error["type"] != "too_short" or all(loc[: len(error["loc"])] != error["loc"] for loc in within):
            yield _problem(root, error)


def _unknown(root: Node, policy: Policy, features: Collection[str]) -> Iterator[Problem]:
    """Beginnings of feature names with which no feature begins: what they are for would never happen."""
    for place, beginnings in _beginnings(policy):
        for number, beginning in enumerate(beginnings):
            if not any(name.startswith(beginning) for name in features):
                node, _ = _find(root, (*place, number), key=False)
                yield _at(node, (*place, number), f"found {beginning!r}; no feature's name begins so")


def _beginnings(policy: Policy) -> Iterator[tuple[Location, tuple[str, ...]]]:
    for at, campaign in enumerate(policy.campaigns):
        yield ("campaigns", at, "reasons"), campaign.reasons
        for among, variant in enumerate(campaign.variants):
            for place, one in enumerate(variant.suggestions):
                where = ("campaigns", at, "variants", among, "suggestions", place, "features")
                yield where, one.features


def _problem(root: Node, error: dict[str, Any]) -> Problem:
    """pydantic's error in our words, at the node that it is about, or at the nearest one around it."""
    location, kind, context = tuple(error["loc"]), error["type"], error.get("ctx", {})
    if kind == AT:
        location = (*location, *context["place"])
    node, found = _find(root, location, key=kind == "extra_forbidden")
    if kind == "missing":
        return _at(node, location, "is missing")
    if kind == "extra_forbidden":
        return _at(node, location, "is no setting that a policy has here")
    words = str(error["msg"]).removeprefix("Value error, ")
    words = EXPECTED[kind].format(**context) if kind in EXPECTED else words[0].lower() + words[1:]
    shown = repr(error["input"])
    if kind not in ("value_error", AT) and len(found) == len(location) and isinstance(node, ScalarNode):
        words = f"found {shown if len(shown) <= SHOWN else shown[:SHOWN] + '…'}; {words}"
    return _at(node, location, words)


def _find(root: Node, location: Location, *, key: bool) -> tuple[Node, Location]:
    """The node at a location, or the last one on the way to it; with ``key`` the name and not the value."""
    node = root
    way: list[int | str] = []
    for part in location:
        if isinstance(node, MappingNode):
            pair = next((pair for pair in node.value if str(pair[0].value) == part), None)
            if pair is None:
                break
            node = pair[0] if key and len(way) == len(location) - 1 else pair[1]
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        else:
            break
        way.append(part)
    return node, tuple(way)


def _at(node: Node, place: Location, words: str) -> Problem:
    mark = node.start_mark
    return Problem(mark.line + 1, mark.column + 1, _path(place), words)


def _path(place: Location) -> str:
    """``campaigns[0].channels[1]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
