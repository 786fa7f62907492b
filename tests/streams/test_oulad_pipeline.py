"""Real learners through a real broker: a straight pass's outputs, byte for byte, and every event acked."""

from pathlib import Path

import pytest

from sources.oulad import OuladFolder
from tests.brokers import TestBroker
from tests.required import lacking
from tests.sources.test_oulad import REAL
from tests.streams import pipelines as p

PRESENTATION = "AAA/2013J"
"""The smallest: 383 enrolments, 184,000 events."""


@pytest.mark.kafka
@pytest.mark.oulad
def test_real_learners_get_what_a_straight_pass_gives(
    broker: TestBroker, prefix: str, tmp_path: Path
) -> None:
    if not REAL.exists():
        lacking("oulad", f"no OULAD data in {REAL}")
    if not broker.apache:
        pytest.skip("the ends of the embedded broker's partitions are not to be trusted")
    folder = OuladFolder(REAL)
    chosen = [
        presentation for presentation in folder.presentations if presentation.course_run == PRESENTATION
    ]
    with p.pipeline(tmp_path, p.settings_of(broker.address, prefix, None)) as rig:
        sent = rig.publish(folder.stream(chosen))
        rig.start_worker()
        p.finish(rig)
        assert p.applied(rig) == sent.records
        assert rig.stop_workers() == [0]
        assert p.outcome(rig.settings) == p.straight_of(folder.stream(chosen)).outcome
