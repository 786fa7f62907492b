"""The command: ``python -m benchmarks.guards``. See :mod:`benchmarks.guards`."""

import argparse
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.guards.counts import Audit
from benchmarks.guards.runs import Log, audit_block, audit_blocks

PROGRESS_S = 15.0
"""Seconds between two lines of progress."""

SHOWN = 20
"""Learners with a violation that are listed at the end."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Count violations of the guards in many decisions.")
    parser.add_argument("--decisions", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", action="store_true", help="messages leave before a checkpoint")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--log", type=Path, help="a file to keep finished parts in, and to go on from")
    options = parser.parse_args()
    log = Log.open(options.log, options.seed, at_once=options.at_once)
    if log.finished:
        print(f"going on after {len(log.finished):,} blocks of the log")
    audit_one = partial(audit_block, seed=options.seed, at_once=options.at_once)
    audit, began, printed = Audit(), time.monotonic(), 0.0
    with closing(audit_blocks(audit_one, options.processes, log)) as audits:
        while audit.decisions < options.decisions:
            audit.add(next(audits))
            if time.monotonic() - printed > PROGRESS_S:
                printed = time.monotonic()
                print(f"{printed - began:7,.0f} s: {_progress(audit)}", flush=True)
    print(f"\n{_progress(audit)}; {log.question}")
    print(f"{audit.sent:,} nudges left, {audit.cancelled:,} of them were cancelled in time")
    print(f"{audit.together:,} came with an earlier one in one digest")
    for reason, times in audit.reasons.most_common():
        print(f"  {reason:30} {times:>12,}")
    print(f"violations: {audit.violations.total():,}", *(+audit.violations).items())
    for learner in audit.violated[:SHOWN]:
        print(f"  {learner}")


def _progress(audit: Audit) -> str:
    violations = audit.violations.total()
    return f"{audit.decisions:,} decisions, {audit.crashes:,} crashes, {violations:,} violations"


if __name__ == "__main__":
    main()
