"""What other methods make of the same features on the same days: what ours is compared with.

* **Recency**: the share lost among learners of earlier presentations who had been silent for as long.
* **Stock River**: ``StandardScaler | LogisticRegression`` as River gives it, taught a run's examples when the
  run has ended, as ours is.
* **Logistic regression** (scikit-learn) and **LightGBM**, *batch*: trained once, on all presentations that
  began before the test, with all their outcomes. Some of those were not known yet when the test began, which
  flatters them.

All see the bins and cohort ranks that ours sees, on every seventh day of a run. scikit-learn and LightGBM
come with the dependency group ``baselines`` and are loaded only when asked for.
"""

from collections.abc import Callable, Iterator
from importlib import import_module

import numpy as np
import pyarrow as pa

from evaluation.outcomes import Bools, Floats, Outcomes
from evaluation.snapshots import Snapshots
from features.catalogue import INDEX

LIBRARIES = ("sklearn", "lightgbm")
SEED = 1

Method = Callable[[Snapshots, Bools, Snapshots], Floats]
"""Teaching snapshots, who of them was lost, and snapshots to estimate → estimates."""


def check() -> None:
    """Raises ``ImportError``, saying what to do, where a library cannot be loaded."""
    for name in LIBRARIES:
        try:
            import_module(name)
        except (ImportError, OSError) as error:  # LightGBM needs the system's libgomp
            raise ImportError(
                f"baselines: {name} cannot be loaded ({error}); expected the dependency group "
                "baselines, which `make setup-dev` installs"
            ) from None


def estimates(snapshots: Snapshots, earlier: Outcomes, tested: Outcomes) -> Iterator[tuple[str, pa.Table]]:
    """Each method's name and its weekly table of estimates, as ``figures`` reads them.

    earlier: outcomes that teach; tested: those of the presentations to estimate.
    """
    teach = snapshots.of(np.unique(earlier.presentation).tolist())
    test = snapshots.of(np.unique(tested.presentation).tolist())
    place = earlier.places(teach.module, teach.presentation, teach.student)
    lost = earlier.lost[place]
    for name, method in METHODS.items():
        risk = np.clip(method(teach, lost, test), 0.0, 1.0)
        columns = (test.module, test.presentation, test.student, test.day, risk)
        names = ("code_module", "code_presentation", "id_student", "day", "risk")
        yield name, pa.table(dict(zip(names, columns, strict=True)))


def recency(teach: Snapshots, lost: Bools, test: Snapshots) -> Floats:
    """The share lost at each bin of silence."""
    column = INDEX["silence"]
    bins = teach.inputs[:, column]
    seen = np.bincount(bins, minlength=256)
    share = np.bincount(bins, lost, minlength=256) / np.maximum(seen, 1)
    found: Floats = np.where(seen > 0, share, lost.mean())[test.inputs[:, column]]
    return found


def stock_river(teach: Snapshots, lost: Bools, test: Snapshots) -> Floats:
    """Learns what is known by a day before it estimates that day; a run's examples in a random order."""
    from river import linear_model, preprocessing  # noqa: PLC0415

    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    waiting = np.random.default_rng(SEED).permutation(len(teach))
    waiting = waiting[np.argsort(teach.over[waiting], kind="stable")]
    found, learned = np.full(len(test), np.nan), 0
    for day in np.unique(test.at).tolist():
        while learned < len(waiting) and teach.over[waiting[learned]] <= day:
            one = waiting[learned]
            model.learn_one(dict(enumerate(teach.inputs[one].tolist())), bool(lost[one]))
            learned += 1
        for one in np.flatnonzero(test.at == day).tolist():
            found[one] = model.predict_proba_one(dict(enumerate(test.inputs[one].tolist())))[True]
    return found


def logistic_regression(teach: Snapshots, lost: Bools, test: Snapshots) -> Floats:
    """scikit-learn's, on standardised inputs."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, random_state=SEED))
    model.fit(teach.inputs.astype(np.float32), lost)
    found: Floats = model.predict_proba(test.inputs.astype(np.float32))[:, 1].astype(np.float64)
    return found


def lightgbm(teach: Snapshots, lost: Bools, test: Snapshots) -> Floats:
    """Gradient boosting on the inputs as they are."""
    from lightgbm import Dataset, train  # noqa: PLC0415

    settings = {
        "objective": "binary",
        "learning_rate": 0.05,
        "num_leaves": 31,
        "min_data_in_leaf": 200,
        "deterministic": True,
        "seed": SEED,
        "verbosity": -1,
    }
    model = train(settings, Dataset(teach.inputs, label=lost.astype(np.float32)), num_boost_round=300)
    return np.asarray(model.predict(test.inputs), dtype=np.float64)


METHODS: dict[str, Method] = {
    "recency": recency,
    "stock River": stock_river,
    "logistic regression, batch": logistic_regression,
    "LightGBM, batch": lightgbm,
}
