"""Write an adapter: another platform's log as messages of the contract, in event-time order.

A source is an iterable of `SourceMessage`: key, JSON, whether it is a broadcast, and event time. `keyed`
makes a learner's message, `with_ticks` adds the clock ticks by which days close.
`python examples/adapter.py` runs it.
"""

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime

from engine.api import Identity, run
from schemas.inbound import event_adapter
from sources.stream import SourceMessage, keyed, with_ticks

KINDS = {"play_video": "video", "problem_check": "quiz", "forum_post": "forum"}
"""The platform's verb → kind; all others are `other`."""


def events(lines: Iterable[str]) -> Iterator[SourceMessage]:
    """The platform's CSV (time, user, course, verb) as activity events, with ids from the row number: stable.

    >>> next(events(["time,user,course,verb", "2026-02-02T09:00:00+00:00,u-1,a/2026,play_video"])).key
    'u-1'
    """
    for number, row in enumerate(csv.DictReader(lines)):
        message = {
            "type": "activity",
            "event_id": f"log-{number}",
            "learner": row["user"],
            "course_run": row["course"],
            "kind": KINDS.get(row["verb"], "other"),
            "source": "example-platform",
        }
        yield keyed(message, int(datetime.fromisoformat(row["time"]).timestamp()))


LOG = [
    "time,user,course,verb",
    *(f"2026-02-{day:02}T09:00:00+00:00,u-1,a/2026,play_video" for day in range(2, 9)),
    "2026-02-20T09:00:00+00:00,u-2,a/2026,problem_check",
]

if __name__ == "__main__":
    stream = list(with_ticks(events(LOG), "example-platform"))
    for message in stream:
        event_adapter.validate_json(
            message.value
        )  # raises where the contract is broken, with field and value
    print(f"{len(stream)} messages keep to the contract")
    for outputs in run((message.value for message in stream), Identity(b"a secret of yours")):
        print(f"{len(outputs.risk_changes)} risk changes, {len(outputs.dead_letters)} dead letters")
