"""Do the intervals hold what they promise, and does the choosing pay? In worlds whose truth is known.

``python -m benchmarks.experiments`` prints the tables of ``docs/experiments.md``. ``trials`` lives a world
under a policy, ``intervals`` counts how often intervals contain the truth and how often they find an effect
where there is none, ``variants`` compares ways of choosing.
"""
