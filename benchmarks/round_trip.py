"""The table of round trips, as Markdown: one simulated term in every dialect.

``python -m benchmarks.round_trip``. From the same term and by the same means as the tests
(``tests/sources/formats``): how much of it a dialect can say, what it loses, and how far the estimates are
from those of the native messages without what it loses.
"""

from tests.sources.formats.round_trip import WRITTEN, compared_estimates, estimates_of, round_trip

HEAD = (
    "| dialect | messages | records | sent as native messages | fields lost | estimates | furthest apart |\n"
    "|---|---|---|---|---|---|---|"
)


def main() -> None:
    print(HEAD)
    for name in WRITTEN:
        found = round_trip(name)
        estimates, others = estimates_of(found.read), compared_estimates(found)
        apart = max(abs(estimates[key] - others[key]) for key in estimates.keys() & others.keys())
        different = len(estimates.keys() ^ others.keys())
        unsaid = ", ".join(
            f"{kind} ({count:,})" for kind, count in sorted(found.unsaid.items()) if kind != "tick"
        )
        cells = (
            name,
            f"{found.said:,}",
            f"{found.records:,}",
            unsaid or "none",
            ", ".join(f"`{each}`" for each in sorted(found.lost)) or "none",
            f"{len(estimates):,}" + (f", {different} of one alone" if different else ""),
            f"{apart:g}",
        )
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
