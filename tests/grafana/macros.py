"""What Grafana and the ClickHouse plugin (4.20) do to a query before it is sent, as far as ours need it.

In the plugin's order: ``$__conditionalAll``, template variables, macros. An unknown macro is an error.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

ALL = "$__all"


@dataclass(frozen=True, slots=True)
class View:
    """What a reader looks at: a time range, an interval in seconds, and chosen values of variables."""

    start: datetime
    end: datetime
    interval: int = 10
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)
    offered: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """All values of each variable, which is what it stands for where ``All`` is chosen."""

    def values(self, name: str) -> Sequence[str]:
        chosen = self.chosen.get(name, (ALL,))
        return self.offered[name] if ALL in chosen else chosen


def expand(sql: str, view: View) -> str:
    """The query as the store receives it.

    Raises:
        ValueError: a macro or a variable that is not known here.
    """
    sql = _conditional_all(sql, view)
    sql = re.sub(r"\$\{(\w+):singlequote\}", lambda match: _quoted(view.values(match[1])), sql)
    sql = re.sub(r"\$\{(\w+):percentencode\}", lambda match: quote(view.values(match[1])[0], ""), sql)
    start, end = (f"toDateTime({int(moment.timestamp())})" for moment in (view.start, view.end))
    first, last = (f"toDate('{moment:%Y-%m-%d}')" for moment in (view.start, view.end))
    for pattern, text in (
        (r"\$__timeFilter\(([^()]+)\)", rf"\1 >= {start} AND \1 <= {end}"),
        (r"\$__dateFilter\(([^()]+)\)", rf"\1 >= {first} AND \1 <= {last}"),
        (
            r"\$__timeInterval\(([^()]+)\)",
            rf"toStartOfInterval(toDateTime(\1), INTERVAL {view.interval} second)",
        ),
        (r"\$__fromTime\b", start),
        (r"\$__toTime\b", end),
        (r"\$__interval_s\b", str(view.interval)),
    ):
        sql = re.sub(pattern, text, sql)
    if left := re.search(r"\$(\w+|\{[^}]*\})", sql):
        raise ValueError(f"query: unknown macro or variable {left[0]} in {sql!r}")
    return sql


def _conditional_all(sql: str, view: View) -> str:
    while (start := sql.find("$__conditionalAll(")) >= 0:
        inside = start + len("$__conditionalAll(")
        end = _closing(sql, inside)
        condition, _, variable = sql[inside:end].rpartition(",")
        chosen = view.chosen.get(variable.strip().removeprefix("$"), (ALL,))
        sql = sql[:start] + ("1=1" if ALL in chosen else condition) + sql[end + 1 :]
    return sql


def _closing(sql: str, position: int) -> int:
    depth = 1
    while depth:
        depth += {"(": 1, ")": -1}.get(sql[position], 0)
        position += 1
    return position - 1


def _quoted(values: Sequence[str]) -> str:
    return ",".join("'" + value.replace("'", "\\'") + "'" for value in values)
