"""Faust as its guide shows it: ``async for`` over the events, one table update each, with a changelog.

Stock transport, no validation beyond JSON, and the same settings as homeroom's worker has.
"""

import json
import logging
import sys
import time
from typing import Any

import faust
import uvloop

from streams.faust_settings import faust_settings


def main(task: dict[str, Any]) -> None:
    uvloop.install()
    settings = faust_settings(task["broker"]) | {"broker_max_poll_records": None, "table_standby_replicas": 0}
    app = faust.App(
        "bench-idiomatic",
        datadir=task["folder"],
        web_enabled=False,
        topic_partitions=task["partitions"],
        **settings,
    )
    counts = app.Table("counts", default=int, partitions=task["partitions"])
    started, counted = 0.0, 0

    async def count(stream: Any) -> None:
        nonlocal started, counted
        async for event in stream:
            started = started or time.perf_counter()
            if "learner" in event:
                counts[event["learner"]] += 1
            counted += 1
            if counted == task["records"]:
                print(json.dumps({"records": counted, "seconds": time.perf_counter() - started}), flush=True)

    app.agent(app.topic(task["topic"], value_serializer="json", partitions=task["partitions"]))(count)
    logging.basicConfig(level="WARNING", stream=sys.stderr)
    faust.Worker(
        app, loglevel="info", override_logging=False, redirect_stdouts=False
    ).execute_from_commandline()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
