"""Audits of many learners in several processes, with a log from which a run can be resumed."""

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

from benchmarks.guards.auditor import count_violations
from benchmarks.guards.counts import Audit
from benchmarks.guards.learner_logs import make_learner_logs
from benchmarks.guards.partition import Partition
from nudges import decisions

BLOCK = 200
"""Learners that are audited together: some 40,000 decisions, a few seconds."""


def run(decisions: int, seed: int, *, at_once: bool = False) -> Audit:
    """Audit learners until so many decisions were made."""
    audit, number = Audit(), 0
    while audit.decisions < decisions:
        audit.add(audit_learner(number, seed, at_once=at_once))
        number += 1
    return audit


def audit_learner(number: int, seed: int, *, at_once: bool = False) -> Audit:
    """Process and audit one learner's logs."""
    rng = Random(f"{seed}/{number}")
    partition = Partition(make_learner_logs(f"learner-{number}", rng), rng, Audit(), at_once=at_once)
    partition.run()
    count_violations(partition)
    return partition.audit


def audit_block(number: int, seed: int, *, at_once: bool = False) -> Audit:
    """Audit ``BLOCK`` learners: the unit of work of a process, and of the log."""
    audit = Audit()
    for learner in range(number * BLOCK, (number + 1) * BLOCK):
        audit.add(audit_learner(learner, seed, at_once=at_once))
    return audit


@dataclass
class Log:
    """Finished blocks in a file of JSON lines, so that a long run can be resumed.

    Only lines with the same question count: the seed, the mode, and a digest of the code.
    """

    path: Path | None
    question: str
    finished: dict[int, Audit] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path | None, seed: int, *, at_once: bool) -> Self:
        """The log in a file, or in memory where ``path`` is None."""
        code = blake2b(digest_size=6)
        for file in sorted(
            [*Path(__file__).parent.glob("*.py"), *Path(decisions.__file__).parent.glob("*.py")]
        ):
            code.update(file.read_bytes())
        log = cls(path, f"seed {seed}, {'at once' if at_once else 'when safe'}, code {code.hexdigest()}")
        if path is not None and path.exists():
            for line in map(orjson.loads, path.read_bytes().splitlines()):
                if line["question"] == log.question:
                    log.finished[line["block"]] = Audit.of(line["audit"])
        return log

    def add(self, number: int, audit: Audit) -> None:
        """Add a block's audit."""
        self.finished[number] = audit
        if self.path is not None:
            line = {"question": self.question, "block": number, "audit": vars(audit)}
            with self.path.open("ab") as file:
                file.write(orjson.dumps(line) + b"\n")


def audit_blocks(work: Callable[[int], Audit], processes: int, log: Log) -> Generator[Audit, None, None]:
    """Audits of block 0, 1, 2, … without end, from the log or the processes; in order, so reproducible."""
    pool = ProcessPoolExecutor(processes, initializer=_exit_with_parent)
    ahead: dict[int, Future[Audit]] = {}
    try:
        for number in count():
            for soon in range(number, number + 2 * processes):
                if soon not in log.finished and soon not in ahead:
                    ahead[soon] = pool.submit(work, soon)
            if number in ahead:
                log.add(number, ahead.pop(number).result())
            yield log.finished[number]
    finally:
        pool.shutdown(cancel_futures=True)


def _exit_with_parent() -> None:
    """Let a pool's process end with its parent; after SIGKILL of that it would wait for work for ever."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    Thread(target=watch, daemon=True).start()
