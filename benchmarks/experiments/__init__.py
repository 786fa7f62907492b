"""Coverage of the intervals and gain of choosing variants, in simulated worlds whose truth is known.

``python -m benchmarks.experiments`` prints the tables of ``docs/experiments.md``. ``trials`` simulates a
world under a policy, ``intervals`` counts how often intervals contain the truth and how often they show an
effect where there is none, ``approvals`` does so for campaigns with an instructor, and ``variants`` compares
ways of choosing.
"""
