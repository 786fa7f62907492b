"""Write a feature: declare it, compute it over the ring of days, and see its bins.

Here it stays outside of the model. To make it one of the model's: put the declaration into
`features/catalogue.py`, the line that computes it into `features/compute.py`, and run `make format`. The
catalogue's fingerprint changes with it, so that models learned without the feature are not used with it.
"""

import numpy as np
from numpy.typing import NDArray

from features.bins import bins_of
from features.catalogue import Feature, Linear

WEEKENDS = Feature("weekend_share", "rhythm", "share", Linear(0, 1), "share of clicks made on weekends")

SATURDAY = 2
"""Event day 0, 1 January 1970, was a Thursday."""


def weekend_share(by_day: NDArray[np.int64], today: int) -> NDArray[np.float64]:
    """The share, [enrolments]; by_day: clicks [days back, enrolments], the last closed day first.

    >>> weekend_share(np.array([[3], [0], [0], [1]]), today=SATURDAY + 1).tolist()
    [0.75]
    """
    days = today - 1 - np.arange(len(by_day))
    weekend = np.isin(days % 7, (SATURDAY, SATURDAY + 1))
    total = by_day.sum(axis=0)
    return np.where(total > 0, by_day[weekend].sum(axis=0) / np.maximum(total, 1), 0.0)


if __name__ == "__main__":
    clicks = np.array([[4, 0, 1], [4, 0, 0], [1, 5, 0], [0, 5, 0], [0, 5, 0], [0, 5, 0], [1, 5, 0]])
    shares = weekend_share(clicks, today=SATURDAY + 2)
    print("shares", [round(float(share), 2) for share in shares], "bins", bins_of(WEEKENDS, shares).tolist())
