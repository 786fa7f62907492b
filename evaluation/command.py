"""``homeroom evaluate``: one pass over OULAD, test then train, and the table that judges it."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from evaluation.backtest import Backtest
from evaluation.estimates import Estimates, check_name, write
from sources.oulad import OuladFolder, start_day
from streams.identity import Identity
from streams.memory import collect_seldom
from streams.processor import Rules

REPORT_EVERY = 20_000


class EvaluationError(ValueError):
    """The evaluation was asked for something that cannot be. The message is one readable line."""


IDENTITY = Identity(b"homeroom-evaluation")
"""Fixed: snapshots are staggered by pseudonym, and the figures should not depend on anybody's secret."""


def evaluate(oulad: Path, test: Sequence[str], out: Path, rules: Rules, console: Console) -> None:
    """Stream every presentation of a folder in time order, and write the estimates of those in ``test``.

    test: presentation codes such as 2014B. Raises ``EvaluationError`` for a code that the folder lacks and
    for an ``out`` that is neither parquet nor CSV, before anything is streamed.
    """
    try:
        check_name(out)
    except ValueError as error:
        raise EvaluationError(str(error)) from None
    folder = OuladFolder(oulad)
    codes = {one.course_run.partition("/")[2] for one in folder.presentations}
    for code in test:
        if code not in codes:
            raise EvaluationError(
                f"test: {code!r} is not in the folder; expected some of {', '.join(sorted(codes))}"
            )
    collect_seldom()
    estimates = Estimates(frozenset(test))
    backtest = Backtest(rules, IDENTITY, say=estimates.hear, watch=estimates.watch)
    started, count = time.monotonic(), -1
    with _bar(console) as bar:
        task = bar.add_task("events", total=folder.total())
        for count, message in enumerate(folder.stream()):
            backtest.feed(message)
            if count % REPORT_EVERY == 0:
                bar.update(task, completed=count)
        backtest.finish()
        bar.update(task, completed=count + 1, total=count + 1)
    starts = {one.course_run: start_day(one.course_run.partition("/")[2]) for one in folder.presentations}
    table = estimates.table(starts)
    write(table, out)
    took = time.monotonic() - started
    alerts = sum(table["alert"].to_pylist())
    console.print(
        f"{count + 1:,} events in {took:.0f} s ({(count + 1) / took:,.0f}/s); "
        f"{table.num_rows:,} estimates and {alerts:,} alerts of {', '.join(sorted(test))} in {out}"
    )


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, refresh_per_second=2)
