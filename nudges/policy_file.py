"""Parses a policy from YAML text; reports everything wrong with it, each with its line and column.

The policy's model decides the type of a scalar: YAML's own guesses (``no`` as false, ``21:00`` as the number
1260) are not made, and a duplicate key is an error. Only ``null`` and ``~`` without quotes are null. No file
is opened here: text in, policy out.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from nudges.policy import NESTED_ERROR, Policy
from schemas.errors import HomeroomError

MAX_CHARACTERS = 200_000
"""A hundred long campaigns. The policy travels in every day package."""

NULLS = ("null", "~", "")
MAX_SHOWN_CHARACTERS = 60
"""Characters of a wrong value that a problem quotes."""

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
"""Type of a pydantic error → our wording, for those that authors of policies meet most."""

Location = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a policy's text. Lines and columns count from 1."""

    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        return (
            f"line {self.line}, column {self.column}: {self.path + ': ' if self.path else ''}{self.message}"
        )


class PolicyError(HomeroomError, ValueError):
    """The text is not a valid policy. ``problems`` are in the order of their lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(
            sorted(problems, key=lambda problem: (problem.line, problem.column, problem.path))
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


def parse_policy(text: str, features: Collection[str] = ()) -> Policy:
    """The policy of a YAML text.

    ``features``: all feature names; given, the name prefixes in the policy are checked against them.

    Raises:
        PolicyError: with every problem of the text.
    """
    root = _parse_yaml(text)
    repeated = list(_duplicate_keys(root))
    if repeated:
        raise PolicyError(repeated)
    try:
        policy = Policy.model_validate(_to_plain(root))
    except ValidationError as errors:
        raise PolicyError(list(_problems_of(root, errors))) from None
    unknown = list(_unknown_features(root, policy, features)) if features else []
    if unknown:
        raise PolicyError(unknown)
    return policy


def _parse_yaml(text: str) -> MappingNode:
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
        message = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise PolicyError([Problem(line, column, "", f"is not YAML: {message}")]) from None
    except yaml.YAMLError as error:
        raise PolicyError([Problem(1, 1, "", f"is not YAML: {error}")]) from None
    if not isinstance(root, MappingNode):
        raise PolicyError([Problem(1, 1, "", "expected a policy's settings, each as `name: value`")])
    return root


def _duplicate_keys(node: Node, path: Location = ()) -> Iterator[Problem]:
    """A problem for each key that occurs twice in one mapping."""
    if isinstance(node, MappingNode):
        names: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in names:
                yield _problem_at(key, (*path, name), "is given twice")
            names.add(name)
            yield from _duplicate_keys(value, (*path, name))
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(node.value):
            yield from _duplicate_keys(value, (*path, index))


def _to_plain(node: Node) -> Any:
    if isinstance(node, MappingNode):
        return {str(key.value): _to_plain(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [_to_plain(value) for value in node.value]
    plain = isinstance(node, ScalarNode) and node.style is None
    return None if plain and node.value in NULLS else node.value


def _problems_of(root: Node, errors: ValidationError) -> Iterator[Problem]:
    """A problem for each error; *too short* is left out for a list whose only element is wrong."""
    details: list[dict[str, Any]] = [dict(error) for error in errors.errors(include_url=False)]
    for error in details:
        within = (other["loc"] for other in details if len(other["loc"]) > len(error["loc"]))
        if error["type"] != "too_short" or all(loc[: len(error["loc"])] != error["loc"] for loc in within):
            yield _problem_of(root, error)


def _unknown_features(root: Node, policy: Policy, features: Collection[str]) -> Iterator[Problem]:
    """A problem for each prefix with which no feature name begins: its rule would never apply."""
    for path, prefixes in _feature_prefixes(policy):
        for index, prefix in enumerate(prefixes):
            if not any(name.startswith(prefix) for name in features):
                node, _ = _find_node(root, (*path, index), key=False)
                yield _problem_at(node, (*path, index), f"found {prefix!r}; no feature's name begins so")


def _feature_prefixes(policy: Policy) -> Iterator[tuple[Location, tuple[str, ...]]]:
    for c, campaign in enumerate(policy.campaigns):
        yield ("campaigns", c, "reasons"), campaign.reasons
        for v, variant in enumerate(campaign.variants):
            for s, suggestion in enumerate(variant.suggestions):
                yield ("campaigns", c, "variants", v, "suggestions", s, "features"), suggestion.features


def _problem_of(root: Node, error: dict[str, Any]) -> Problem:
    """A pydantic error in our wording, at its node or, if that is missing, at the nearest one around it."""
    location, kind, context = tuple(error["loc"]), error["type"], error.get("ctx", {})
    if kind == NESTED_ERROR:
        location = (*location, *context["path"])
    node, matched = _find_node(root, location, key=kind == "extra_forbidden")
    if kind == "missing":
        return _problem_at(node, location, "is missing")
    if kind == "extra_forbidden":
        return _problem_at(node, location, "is no setting that a policy has here")
    message = str(error["msg"]).removeprefix("Value error, ")
    message = EXPECTED[kind].format(**context) if kind in EXPECTED else message[0].lower() + message[1:]
    shown = repr(error["input"])
    if (
        kind not in ("value_error", NESTED_ERROR)
        and len(matched) == len(location)
        and isinstance(node, ScalarNode)
    ):
        shown = shown if len(shown) <= MAX_SHOWN_CHARACTERS else f"{shown[:MAX_SHOWN_CHARACTERS]}…"
        message = f"found {shown}; {message}"
    return _problem_at(node, location, message)


def _find_node(root: Node, location: Location, *, key: bool) -> tuple[Node, Location]:
    """The node at a location, or the last one on the path to it; with ``key`` the key, not the value."""
    node = root
    passed: list[int | str] = []
    for step in location:
        if isinstance(node, MappingNode):
            pair = next((pair for pair in node.value if str(pair[0].value) == step), None)
            if pair is None:
                break
            node = pair[0] if key and len(passed) == len(location) - 1 else pair[1]
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
        else:
            break
        passed.append(step)
    return node, tuple(passed)


def _problem_at(node: Node, path: Location, message: str) -> Problem:
    mark = node.start_mark
    return Problem(mark.line + 1, mark.column + 1, _format_path(path), message)


def _format_path(path: Location) -> str:
    """``campaigns[0].channels[1]``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
