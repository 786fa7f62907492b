"""Baselines: other methods on the same features and days.

* **Recency**: the share lost among learners of earlier presentations with the same days of silence.
* **Stock River**: ``StandardScaler | LogisticRegression`` with River's defaults, which learns a run's
  examples when the run has ended, as ours does.
* **Logistic regression** (scikit-learn) and **LightGBM**, *batch*: trained once, on all presentations that
  began before the test, with all their outcomes. Some of those were not known yet when the test began, which
  favours them.

Their inputs are the bins and cohort ranks of our model, on every seventh day of a run. scikit-learn and
LightGBM come with the dependency group ``baselines`` and are imported only when needed.
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
"""(training snapshots, their labels, test snapshots) → P(lost) of the test snapshots."""


def check() -> None:
    """Check that the libraries can be imported.

    Raises:
        ImportError: if not, with the command that installs them.
    """
    for name in LIBRARIES:
        try:
            import_module(name)
        except (ImportError, OSError) as error:  # LightGBM needs the system's libgomp
            raise ImportError(
                f"baselines: {name} cannot be loaded ({error}); expected the dependency group "
                "baselines, which `make setup-dev` installs"
            ) from None


def estimates(snapshots: Snapshots, earlier: Outcomes, tested: Outcomes) -> Iterator[tuple[str, pa.Table]]:
    """The name of each method and its weekly table of estimates, as ``figures`` reads it.

    earlier: outcomes of the training presentations; tested: those of the presentations to estimate.
    """
    train_set = snapshots.with_codes(np.unique(earlier.presentation).tolist())
    test = snapshots.with_codes(np.unique(tested.presentation).tolist())
    index = earlier.indexes(train_set.module, train_set.presentation, train_set.student)
    labels = earlier.lost[index]
    for name, method in METHODS.items():
        risk = np.clip(method(train_set, labels, test), 0.0, 1.0)
        columns = (test.module, test.presentation, test.student, test.day, risk)
        names = ("code_module", "code_presentation", "id_student", "day", "risk")
        yield name, pa.table(dict(zip(names, columns, strict=True)))


def recency(train_set: Snapshots, labels: Bools, test: Snapshots) -> Floats:
    """The share lost by bin of silence."""
    column = INDEX["silence"]
    bins = train_set.inputs[:, column]
    counts = np.bincount(bins, minlength=256)
    share = np.bincount(bins, labels, minlength=256) / np.maximum(counts, 1)
    estimates: Floats = np.where(counts > 0, share, labels.mean())[test.inputs[:, column]]
    return estimates


def stock_river(train_set: Snapshots, labels: Bools, test: Snapshots) -> Floats:
    """Learns the runs that have ended before it estimates a day; a run's examples in a random order."""
    from river import linear_model, preprocessing  # noqa: PLC0415

    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    order = np.random.default_rng(SEED).permutation(len(train_set))
    order = order[np.argsort(train_set.end_day[order], kind="stable")]
    estimates, learned = np.full(len(test), np.nan), 0
    for day in np.unique(test.event_day).tolist():
        while learned < len(order) and train_set.end_day[order[learned]] <= day:
            index = order[learned]
            model.learn_one(dict(enumerate(train_set.inputs[index].tolist())), bool(labels[index]))
            learned += 1
        for index in np.flatnonzero(test.event_day == day).tolist():
            estimates[index] = model.predict_proba_one(dict(enumerate(test.inputs[index].tolist())))[True]
    return estimates


def logistic_regression(train_set: Snapshots, labels: Bools, test: Snapshots) -> Floats:
    """scikit-learn's logistic regression, on standardised inputs."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500, random_state=SEED))
    model.fit(train_set.inputs.astype(np.float32), labels)
    estimates: Floats = model.predict_proba(test.inputs.astype(np.float32))[:, 1].astype(np.float64)
    return estimates


def lightgbm(train_set: Snapshots, labels: Bools, test: Snapshots) -> Floats:
    """Gradient boosting on the inputs without scaling."""
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
    model = train(settings, Dataset(train_set.inputs, label=labels.astype(np.float32)), num_boost_round=300)
    return np.asarray(model.predict(test.inputs), dtype=np.float64)


METHODS: dict[str, Method] = {
    "recency": recency,
    "stock River": stock_river,
    "logistic regression, batch": logistic_regression,
    "LightGBM, batch": lightgbm,
}
