"""Demographics of OULAD's learners, for the fairness audit alone.

This is the only module that reads demographics. No part of the pipeline may import it, and no message has a
field for them; a test checks both.
"""

from pathlib import Path

import numpy as np

from evaluation.outcomes import KEY, Outcomes, Strings
from sources.oulad_tables import OuladTables, whole_numbers

ATTRIBUTES: dict[str, str] = {
    "gender": "gender",
    "age_band": "age band",
    "disability": "disability",
    "region": "region",
    "imd_band": "deprivation band",
}
"""Column of ``studentInfo`` → its title. The band is that of the Index of Multiple Deprivation, 0–10 % the
most deprived."""

NOT_STATED = "not stated"

_CORRECTED = {"10-20": "10-20%"}
"""OULAD spells one band unlike the others."""


def demographics(folder: Path, outcomes: Outcomes) -> dict[str, Strings]:
    """Attribute → the group of every enrolment, [n], in the order of ``outcomes``.

    Raises:
        OuladError: if the table or a column is missing.
    """
    table = OuladTables(folder).columns("studentInfo", (*KEY, *ATTRIBUTES))
    students = whole_numbers(table, "id_student", "studentInfo")
    keys = [table[name].to_numpy(zero_copy_only=False).astype(np.str_) for name in KEY[:2]]
    index = outcomes.indexes(keys[0], keys[1], students)
    by_attribute = {}
    for name in ATTRIBUTES:
        groups = np.array(
            [_CORRECTED.get(group, group) or NOT_STATED for group in table[name].to_pylist()], np.str_
        )
        column = np.full(len(outcomes), NOT_STATED, dtype=f"<U{max(len(NOT_STATED), groups.dtype.itemsize)}")
        column[index[index >= 0]] = groups[index >= 0]
        by_attribute[name] = column
    return by_attribute
