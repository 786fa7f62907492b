"""The private part of River that the models need: a regression's weights, set. Written for River 0.26.1.

River is pinned to that release, and ``homeroom doctor`` says where another is installed: exported weights are
proved equal to what it computes. River has no public way to begin from given weights.
"""

from collections.abc import Sequence

from river import linear_model


def set_weights(regression: linear_model.LogisticRegression, weights: Sequence[float]) -> None:
    """Set the weights of the inputs 0, 1, …, in their order.

    River sums the product of two vectors in the order of the shorter one, which is always the example's where
    all inputs have a weight from the start.
    """
    regression._weights.update(dict(enumerate(weights)))
