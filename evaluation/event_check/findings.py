"""All findings about a sample: pure functions of its figures, each rule with its numbers in the open."""

from evaluation.event_check.counts import EventCounts
from evaluation.event_check.finding import Finding
from evaluation.event_check.missing import missing
from evaluation.event_check.people import people
from evaluation.event_check.times import times


def findings(counts: EventCounts) -> list[Finding]:
    """What is missing, then what is worth a look."""
    return [finding for rule in (missing, people, times) for finding in rule(counts)]
