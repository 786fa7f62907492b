"""The twin table, as Markdown: what everyday facts do to an estimate (``python -m benchmarks.twins``).

From the same simulated term as the tests (``tests/engine/twins``): a learner's estimate and the twin's on the
day on which they are furthest apart, their distance, and how much it may be.
"""

from tests.engine.twins.facts import TABLE, furthest

HEAD = "| fact | day | learner | twin | apart | at most |\n|---|---|---|---|---|---|"


def main() -> None:
    print(HEAD)
    for bound in TABLE:
        day, own, others = furthest(bound)
        apart = abs(own - others)
        print(f"| {bound.fact} | {day} | {own:.3f} | {others:.3f} | {apart:.3f} | {bound.most:g} |")


if __name__ == "__main__":
    main()
