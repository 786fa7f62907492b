"""Who learners are, by OULAD's own words: for the audit of fairness, and for nothing else.

The only module that reads demographics. No part of the pipeline may import it, no message has a field for
what it reads, and a test holds both.
"""

from pathlib import Path

import numpy as np

from evaluation.outcomes import KEY, Outcomes, Words
from sources.oulad_tables import OuladTables, whole_numbers

ATTRIBUTES: dict[str, str] = {
    "gender": "gender",
    "age_band": "age band",
    "disability": "disability",
    "region": "region",
    "imd_band": "deprivation band",
}
"""Column of ``studentInfo`` → what it is. The band is that of the Index of Multiple Deprivation, 0–10 % the
most deprived."""

NOT_STATED = "not stated"

_WRITTEN = {"10-20": "10-20%"}
"""OULAD's one band that is written unlike the others."""


def demographics(folder: Path, outcomes: Outcomes) -> dict[str, Words]:
    """Each attribute's group for every enrolment, [n] in the order of ``outcomes``.

    Raises ``OuladError`` where the table or a column is missing.
    """
    table = OuladTables(folder).columns("studentInfo", (*KEY, *ATTRIBUTES))
    students = whole_numbers(table, "id_student", "studentInfo")
    words = [table[name].to_numpy(zero_copy_only=False).astype(np.str_) for name in KEY[:2]]
    place = outcomes.places(words[0], words[1], students)
    found = {}
    for name in ATTRIBUTES:
        groups = np.array([_WRITTEN.get(one, one) or NOT_STATED for one in table[name].to_pylist()], np.str_)
        column = np.full(len(outcomes), NOT_STATED, dtype=f"<U{max(len(NOT_STATED), groups.dtype.itemsize)}")
        column[place[place >= 0]] = groups[place >= 0]
        found[name] = column
    return found
