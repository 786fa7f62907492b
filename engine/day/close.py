"""The close of a day: facts in event time, cohorts and their features, matured examples, the report."""

from dataclasses import dataclass

from engine.batch.unknown_fields import rows as rows_of_unknown_fields
from engine.day.aggregates import as_date, at_close
from engine.day.cohorts import Cohort, cohorts_in_force
from engine.day.fact_application import FactApplication
from engine.day.item_transitions import close_trails
from engine.day.label_maturation import Maturing
from engine.day.nudge_outcomes import Following
from engine.day.report import DayContents, day_report
from engine.outputs import Columns, Outputs
from engine.state.partition_state import PartitionState
from features.ring import turn
from schemas.fields import DAY_S
from schemas.learning import DayReport


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """A day that has ended, with all that its scoring needs: what happens meanwhile cannot change it.

    day: the epoch day. outcomes: columns of ``nudge_outcomes``. counts: rows and letters that are given
    out once the next day has been scored.
    """

    day: int
    cohorts: list[Cohort]
    report: list[DayReport]
    outcomes: Columns
    counts: Outputs


class DayClose:
    """Closes the days of one partition, each once and in order. The processor calls it."""

    def __init__(
        self, partition: int, state: PartitionState, facts: FactApplication, following: Following
    ) -> None:
        self._partition = partition
        self._state = state
        self._facts = facts
        self._following = following
        self._maturing = Maturing(state, following)

    def close(self, today: int) -> ClosedDay:
        """End an epoch day, and open the next. Features are those at the start of the next day."""
        state = self._state
        state.touch(turn(state.rows, state.used(), today + 1))
        ended, failed = self._facts.apply_before((today + 1) * DAY_S)
        cohorts = cohorts_in_force(state, today + 1)
        transitions = close_trails(state, today)
        counts = at_close(state, self._partition, today, ended)
        counts.dead_letters += failed
        self._write_unknown_fields(today, counts)
        examples = self._maturing.take(today)  # asks who was nudged, before anybody is let go
        outcomes = self._following.close(today)
        contents = DayContents(today, cohorts, examples, outcomes, transitions)
        report = [day_report(state, self._partition, contents)]
        state.clock.today = today + 1
        state.ids.turn()
        return ClosedDay(today, cohorts, report, outcomes.rows, counts)

    def _write_unknown_fields(self, today: int, outputs: Outputs) -> None:
        """Write the day's counts of fields that the contract does not know, and begin anew."""
        counts, self._state.unknown_fields = self._state.unknown_fields, {}
        if counts:
            columns = rows_of_unknown_fields(counts, as_date(today), self._partition, today)
            outputs.add_rows("unknown_fields", columns)
