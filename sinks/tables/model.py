"""Tables of the model's metrics and calibration, and of alarms about the sources that it learns from."""

from sinks.tables.declaration import DAY, NAME, TIME, Table

MODEL_METRICS = Table(
    "model_metrics",
    "progressive metrics of the model (test, then train), by day",
    {
        "day": DAY,
        "model_version": "String",
        "metric": NAME,
        "value": "Float64",
        "examples": "UInt64",  # that the value rests on
    },
    ("metric", "day", "model_version"),
)

DATA_QUALITY = Table(
    "data_quality",
    "sources that went quiet or mad, and that are back: a row an event",
    {
        "event_id": "String",
        "occurred_at": TIME,
        "day": DAY,  # at whose close it was found
        "alarm": NAME,  # opened, closed or accepted
        "problem": NAME,
        "source": NAME,
        "course_run": NAME,  # empty: all of the source's
        "kind": NAME,  # empty: all
        "since": DAY,
        "observed": "Float64",
        "expected": "Float64",
        "surprise": "Float32",
        "course_runs": "Array(String)",  # whose learners are affected
    },
    ("occurred_at", "event_id"),
)

MODEL_CALIBRATION = Table(
    "model_calibration",
    "what was estimated and what came, by bin of the estimate, over all examples up to a day",
    {
        "day": DAY,
        "bin": "UInt8",  # the first is the lowest
        "estimated": "Float64",  # mean P(lost)
        "lost": "Float64",  # share that was
        "weight": "Float64",  # of the examples in the bin
        "model_version": "String",
    },
    ("day", "bin"),
)
