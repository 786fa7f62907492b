"""The close of a day: facts in event time, cohorts and their features, matured examples, the report."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.accounts.carrying import take_out
from engine.batch.unknown_fields import unknown_field_rows
from engine.day.aggregates import as_date, daily_aggregates
from engine.day.cohorts import Cohort, cohorts_in_force
from engine.day.fact_application import FactApplication
from engine.day.item_transitions import close_trails
from engine.day.label_maturation import LabelMaturation
from engine.day.nudge_outcomes import ExposureFollowUp
from engine.day.report import DayContents, day_report
from engine.outputs import Columns, Outputs
from engine.state.partition_state import PartitionState
from features.ring import open_day
from schemas.learning import DayReport


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """A closed day with all inputs of its scoring, so that events applied meanwhile cannot change it.

    day: the epoch day. outcomes: columns of ``nudge_outcomes``. counts: rows and dead letters that are
    emitted once the next day has been scored. present: see :class:`engine.accounts.carrying.Departure`.
    """

    day: int
    cohorts: list[Cohort]
    report: list[DayReport]
    outcomes: Columns
    counts: Outputs
    present: frozenset[tuple[str, str]]


class DayClose:
    """Closes the days of one partition, each once and in order. The processor calls it."""

    def __init__(
        self,
        partition: int,
        state: PartitionState,
        facts: FactApplication,
        follow_up: ExposureFollowUp,
        event_id_capacity: int,
        cancel_account: Callable[[str, int], None],
    ) -> None:
        """cancel_account: cancels what is planned for an account that is merged at the close of a day."""
        self._partition = partition
        self._event_id_capacity = event_id_capacity
        self._state = state
        self._facts = facts
        self._follow_up = follow_up
        self._cancel_account = cancel_account
        self._label_maturation = LabelMaturation(state, follow_up)

    def close(self, today: int) -> ClosedDay:
        """End an epoch day and open the next one. Features are as of the start of the next day."""
        state = self._state
        state.mark_changed(open_day(state.rows, state.used_slots(), today + 1))
        ended, failed = self._facts.apply_before(state.days.start(today + 1))
        cohorts = cohorts_in_force(state, today + 1)
        transitions = close_trails(state, today)
        counts = daily_aggregates(state, self._partition, today, ended)
        counts.dead_letters += failed
        self._write_unknown_fields(today, counts)
        # Needs the exposures, so it comes before the follow-up removes those that are over.
        examples = self._label_maturation.collect_examples(today)
        outcomes = self._follow_up.close(today)
        departure = take_out(state, cohorts, today, self._follow_up, self._cancel_account)
        contents = DayContents(today, cohorts, examples, outcomes, transitions, departure.accounts)
        report = [day_report(state, self._partition, contents)]
        state.clock.today = today + 1
        state.ids.close_day(today, self._event_id_capacity)
        return ClosedDay(today, departure.cohorts, report, outcomes.rows, counts, departure.present)

    def _write_unknown_fields(self, today: int, outputs: Outputs) -> None:
        """Write the day's counts of fields that are not in the contract, and reset them."""
        counts, self._state.unknown_fields = self._state.unknown_fields, {}
        if counts:
            columns = unknown_field_rows(counts, as_date(today), self._partition, today)
            outputs.add_rows("unknown_fields", columns)
