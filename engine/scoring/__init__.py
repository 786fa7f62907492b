"""From a day's features and package to estimates, levels, risk changes and nudge decisions."""
