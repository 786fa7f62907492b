"""Learner after learner under audit, in several processes, with a log from which a run can go on."""

import os
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import count
from pathlib import Path
from random import Random
from threading import Thread
from typing import Self

import orjson

from benchmarks.guards.auditor import judge
from benchmarks.guards.counts import Audit
from benchmarks.guards.lives import make_life
from benchmarks.guards.partition import Partition
from nudges import decisions

BLOCK = 200
"""Learners that are audited together: some 40,000 decisions, a few seconds."""


def run(decisions: int, seed: int, *, at_once: bool = False) -> Audit:
    """Learner after learner, until so many decisions were made."""
    audit, number = Audit(), 0
    while audit.decisions < decisions:
        audit.add(audited(number, seed, at_once=at_once))
        number += 1
    return audit


def audited(number: int, seed: int, *, at_once: bool = False) -> Audit:
    """One learner's life under the guards, and what the auditor says of it."""
    draw = Random(f"{seed}/{number}")
    partition = Partition(make_life(f"learner-{number}", draw), draw, Audit(), at_once=at_once)
    partition.run()
    judge(partition)
    return partition.audit


def block(number: int, seed: int, *, at_once: bool = False) -> Audit:
    """``BLOCK`` learners: what one process takes at a time, and what a log keeps."""
    audit = Audit()
    for learner in range(number * BLOCK, (number + 1) * BLOCK):
        audit.add(audited(learner, seed, at_once=at_once))
    return audit


@dataclass
class Log:
    """Blocks that were audited, in a file of JSON lines, so that a long run can be taken up again.

    Only lines of the same question count: the seed, the way of running, and every byte of the code.
    """

    path: Path | None
    question: str
    known: dict[int, Audit] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None, seed: int, *, at_once: bool) -> Self:
        """The log in a file, or one in memory alone where ``path`` is None."""
        code = blake2b(digest_size=6)
        for file in sorted(
            [*Path(__file__).parent.glob("*.py"), *Path(decisions.__file__).parent.glob("*.py")]
        ):
            code.update(file.read_bytes())
        log = cls(path, f"seed {seed}, {'at once' if at_once else 'when safe'}, code {code.hexdigest()}")
        if path is not None and path.exists():
            for line in map(orjson.loads, path.read_bytes().splitlines()):
                if line["question"] == log.question:
                    log.known[line["block"]] = Audit.of(line["audit"])
        return log

    def add(self, number: int, audit: Audit) -> None:
        """Keep a block's audit."""
        self.known[number] = audit
        if self.path is not None:
            line = {"question": self.question, "block": number, "audit": vars(audit)}
            with self.path.open("ab") as file:
                file.write(orjson.dumps(line) + b"\n")


def blocks(work: Callable[[int], Audit], processes: int, log: Log) -> Generator[Audit, None, None]:
    """Block after block without end, those of the log at once; in order, so that any sum can be repeated."""
    pool = ProcessPoolExecutor(processes, initializer=_end_with_the_parent)
    ahead: dict[int, Future[Audit]] = {}
    try:
        for number in count():
            for soon in range(number, number + 2 * processes):
                if soon not in log.known and soon not in ahead:
                    ahead[soon] = pool.submit(work, soon)
            if number in ahead:
                log.add(number, ahead.pop(number).result())
            yield log.known[number]
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_the_parent() -> None:
    """A worker of a run that was killed would wait for work for ever."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    Thread(target=watch, daemon=True).start()
