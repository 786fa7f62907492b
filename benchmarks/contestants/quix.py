"""Quix Streams counts one tumbling window of a day a learner, with its changelog.

Imports nothing of homeroom: it runs in an environment of its own, as Quix Streams needs an older
confluent-kafka. Records without a key are parsed and filtered out, as they can have no state.
"""

import json
import sys
import time
from datetime import timedelta
from typing import Any

from quixstreams import Application


def main(task: dict[str, Any]) -> None:
    app = Application(
        broker_address=task["broker"],
        consumer_group="bench-quix",
        auto_offset_reset="earliest",
        state_dir=task["folder"],
        loglevel="WARNING",
    )
    started, counted = 0.0, 0

    def note(row: Any) -> Any:
        nonlocal started
        started = started or time.perf_counter()
        return row

    def finish(row: Any) -> None:
        nonlocal counted
        counted += 1
        if counted == task["keyed"]:
            print(
                json.dumps({"records": task["records"], "seconds": time.perf_counter() - started}), flush=True
            )
            app.stop()

    events = app.dataframe(app.topic(task["topic"], value_deserializer="json"))
    events = events.apply(note).filter(lambda row: "learner" in row)
    events.tumbling_window(timedelta(days=1)).count().current().update(finish)
    app.run()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
