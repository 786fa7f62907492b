"""Progressive figures, against River's own metrics and by hand."""

# mypy: disable-error-code="no-untyped-call"
# River's methods are partly untyped.

import json
import math

import numpy as np
import pytest
from river import metrics

from online_models.metrics import BUCKETS, CALIBRATION_BINS, ProgressiveValidation
from schemas.learning import TrainingExample
from tests.online_models.examples import seeded


def telling(count: int, seed: int) -> list[TrainingExample]:
    """Examples whose served probability knows something of the label."""
    rng = np.random.default_rng(seed)
    return [
        example.model_copy(
            update={
                "probability": round(float(np.clip(0.5 * example.label + 0.6 * rng.random() - 0.05, 0, 1)), 6)
            }
        )
        for example in seeded(count, seed)
    ]


def test_the_figures_are_rivers() -> None:
    progress, log_loss = ProgressiveValidation(), metrics.LogLoss()
    auc = metrics.ROCAUC(n_thresholds=BUCKETS + 1)
    examples = telling(1500, 4)
    progress.update(examples)
    for example in examples:
        if example.served:
            estimated = min(max(example.probability, 1e-6), 1 - 1e-6)
            log_loss.update(example.label, estimated, example.weight)
            auc.update(example.label, example.probability, example.weight)
    figures = progress.metrics()
    assert figures["served"] == 1000
    assert figures["log_loss"] == pytest.approx(log_loss.get(), abs=1e-4)
    assert figures["auc"] == pytest.approx(auc.get(), abs=1e-3)


def test_calibration_and_brier_by_hand() -> None:
    served = [example for example in telling(1500, 5) if example.served]
    progress = ProgressiveValidation()
    progress.update(served)
    weight = np.array([example.weight for example in served])
    label = np.array([example.label for example in served], float)
    estimated = np.array([example.probability for example in served])
    bins = np.minimum((estimated * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = [abs((weight * (label - estimated))[bins == one].sum()) for one in range(CALIBRATION_BINS)]
    figures = progress.metrics()
    assert figures["ece"] == pytest.approx(sum(gaps) / weight.sum(), abs=1e-3)
    assert figures["brier"] == pytest.approx((weight * (label - estimated) ** 2).sum() / weight.sum())
    assert figures["lost"] == pytest.approx((weight * label).sum() / weight.sum())
    assert figures["estimated"] == pytest.approx((weight * estimated).sum() / weight.sum())


def test_estimates_of_the_prior_do_not_count() -> None:
    progress = ProgressiveValidation()
    progress.update(example.model_copy(update={"served": False}) for example in seeded(10))
    assert progress.metrics() == {"served": 0.0}


def test_one_class_alone_has_no_auc() -> None:
    progress = ProgressiveValidation()
    example = seeded(1)[0].model_copy(update={"served": True, "label": True, "probability": 0.0})
    progress.update([example])
    figures = progress.metrics()
    assert "auc" not in figures
    assert math.isfinite(figures["log_loss"])


def test_it_goes_on_exactly_from_its_state() -> None:
    examples = telling(900, 6)
    uninterrupted, before = ProgressiveValidation(), ProgressiveValidation()
    uninterrupted.update(examples)
    before.update(examples[:400])
    after = ProgressiveValidation.from_state(json.loads(json.dumps(before.state())))
    after.update(examples[400:])
    assert after == uninterrupted


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"lost": [1.0]}, "lost has 1 buckets"),
        ({"brier": None}, "valid number"),
        ({"kept": None}, "valid list"),
    ],
)
def test_a_strange_state_is_refused(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ProgressiveValidation.from_state({**ProgressiveValidation().state(), **change})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="expected an object"):
        ProgressiveValidation.from_state(None)
