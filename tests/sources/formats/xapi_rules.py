"""The rules of xAPI 1.0.3 (part 2, *Statements*) that a record store must refuse a statement for breaking."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
DURATION = re.compile(r"P(?=.)(\d+(\.\d+)?[YMWD])*(T(?=.)(\d+(\.\d+)?[HMS])+)?")
LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")

STATEMENT = {
    "actor",
    "authority",
    "attachments",
    "context",
    "id",
    "object",
    "result",
    "stored",
    "timestamp",
} | {
    "verb",
    "version",
}
RESULT = {"completion", "duration", "extensions", "response", "score", "success"}
CONTEXT = {
    "contextActivities",
    "extensions",
    "instructor",
    "language",
    "platform",
    "registration",
    "revision",
    "statement",
    "team",
}
RELATIONS = {"parent", "grouping", "category", "other"}
IDENTIFIERS = ("mbox", "mbox_sha1sum", "openid", "account")


def breaches(statement: Mapping[str, Any]) -> list[str]:
    """What a statement breaks, in words; empty if nothing."""
    return [*_statement(statement), *_nulls(statement, "")]


def _statement(statement: Mapping[str, Any]) -> Iterator[str]:
    yield from _only(statement, STATEMENT, "statement")
    yield from (f"{name} is missing" for name in ("actor", "verb", "object") if name not in statement)
    if "id" in statement and str(UUID(statement["id"])) != statement["id"].lower():
        yield "id is no UUID"
    if "version" in statement and not statement["version"].startswith(("1.0", "2.0")):
        yield "version is of another specification"
    if "timestamp" in statement and datetime.fromisoformat(statement["timestamp"]).tzinfo is None:
        yield "timestamp has no zone"
    yield from _agent(statement["actor"])
    yield from _verb(statement["verb"])
    yield from _activity(statement["object"])
    yield from _result(statement.get("result") or {})
    yield from _context(statement.get("context") or {})


def _agent(agent: Mapping[str, Any]) -> Iterator[str]:
    yield from _only(agent, {"objectType", "name", *IDENTIFIERS}, "agent")
    if sum(name in agent for name in IDENTIFIERS) != 1:
        yield "agent has not exactly one identifier"
    if (account := agent.get("account")) is not None:
        yield from _only(account, {"homePage", "name"}, "account")
        if not IRI.fullmatch(account["homePage"]) or not isinstance(account["name"], str):
            yield "account has no home page or no name"


def _verb(verb: Mapping[str, Any]) -> Iterator[str]:
    yield from _only(verb, {"id", "display"}, "verb")
    yield from _language_map(verb.get("display", {}))
    if not IRI.fullmatch(verb["id"]):
        yield "verb is no IRI"


def _activity(activity: Mapping[str, Any]) -> Iterator[str]:
    yield from _only(activity, {"objectType", "id", "definition"}, "activity")
    definition = activity.get("definition", {})
    yield from _only(definition, {"name", "description", "type", "moreInfo", "extensions"}, "definition")
    if not IRI.fullmatch(activity["id"]) or not IRI.fullmatch(definition.get("type", "urn:none")):
        yield f"activity or its type is no IRI: {activity}"
    yield from _extensions(definition)


def _result(result: Mapping[str, Any]) -> Iterator[str]:
    yield from _only(result, RESULT, "result")
    yield from _extensions(result)
    score = result.get("score", {})
    yield from _only(score, {"scaled", "raw", "min", "max"}, "score")
    if not -1 <= score.get("scaled", 0) <= 1:
        yield "scaled is out of range"
    if not score.get("min", 0) <= score.get("raw", score.get("min", 0)) <= score.get("max", float("inf")):
        yield "raw is out of range"
    if not DURATION.fullmatch(result.get("duration", "PT0S")):
        yield f"duration {result['duration']} is none of ISO 8601"
    yield from (
        f"{name} is no boolean"
        for name in ("success", "completion")
        if type(result.get(name, True)) is not bool
    )


def _context(context: Mapping[str, Any]) -> Iterator[str]:
    yield from _only(context, CONTEXT, "context")
    yield from _extensions(context)
    if not LANGUAGE.fullmatch(context.get("language", "en")):
        yield "language is no tag"
    if not isinstance(context.get("platform", ""), str):
        yield "platform is no text"
    around = context.get("contextActivities", {})
    yield from _only(around, RELATIONS, "contextActivities")
    for activities in around.values():
        if not isinstance(activities, list):
            yield "context activities are returned as lists"
            return
        for activity in activities:
            yield from _activity(activity)


def _extensions(parent: Mapping[str, Any]) -> Iterator[str]:
    yield from (
        f"extension {name} is no IRI" for name in parent.get("extensions", {}) if not IRI.fullmatch(name)
    )


def _language_map(found: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{tag} is no language" for tag in found if not LANGUAGE.fullmatch(tag))


def _only(found: Mapping[str, Any], names: set[str], where: str) -> Iterator[str]:
    yield from (f"{where} has {name}" for name in found if name not in names)


def _nulls(found: Any, path: str) -> Iterator[str]:
    """Nothing but an extension's value may be null."""
    if path.endswith(".extensions"):
        return
    if found is None:
        yield f"{path} is null"
    if isinstance(found, Mapping):
        for name, value in found.items():
            yield from _nulls(value, f"{path}.{name}")
    if isinstance(found, list):
        for value in found:
            yield from _nulls(value, path)
