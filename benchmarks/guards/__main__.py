"""The command: ``python -m benchmarks.guards``. See :mod:`benchmarks.guards`."""

import argparse
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.guards.counts import Audit
from benchmarks.guards.runs import Log, block, blocks

PROGRESS_S = 15.0
"""Seconds between two lines on the way."""

SHOWN = 20
"""Learners with a violation that are named at the end."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Count violations of the guards in many decisions.")
    parser.add_argument("--decisions", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", action="store_true", help="messages leave before a checkpoint")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--log", type=Path, help="a file to keep finished parts in, and to go on from")
    chosen = parser.parse_args()
    log = Log.open(chosen.log, chosen.seed, at_once=chosen.at_once)
    if log.known:
        print(f"going on after {len(log.known):,} blocks of the log")
    work = partial(block, seed=chosen.seed, at_once=chosen.at_once)
    audit, began, printed = Audit(), time.monotonic(), 0.0
    with closing(blocks(work, chosen.processes, log)) as found:
        while audit.decisions < chosen.decisions:
            audit.add(next(found))
            if time.monotonic() - printed > PROGRESS_S:
                printed = time.monotonic()
                print(f"{printed - began:7,.0f} s: {_so_far(audit)}", flush=True)
    print(f"\n{_so_far(audit)}; {log.question}")
    print(f"{audit.sent:,} nudges left, {audit.cancelled:,} of them were cancelled in time")
    print(f"{audit.together:,} came with an earlier one in one digest")
    for reason, times in audit.reasons.most_common():
        print(f"  {reason:30} {times:>12,}")
    print(f"violations: {audit.violations.total():,}", *(+audit.violations).items())
    for learner in audit.violated[:SHOWN]:
        print(f"  {learner}")


def _so_far(audit: Audit) -> str:
    violations = audit.violations.total()
    return f"{audit.decisions:,} decisions, {audit.crashes:,} crashes, {violations:,} violations"


if __name__ == "__main__":
    main()
