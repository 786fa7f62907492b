"""What nudges do, measured: arms and outcomes, effects with intervals, choosing between variants. Pure.

Read in this order: ``exposure`` (which decisions compare), ``outcomes`` (what is waited for, and when it
is known), ``effects`` (differences with their intervals), ``report`` (a table of them), ``size`` (how many
learners it takes), ``bandit`` (choosing a variant, with exact propensities), ``off_policy`` (what another
policy would have done), ``training`` (what a nudged learner may teach the risk model).
"""
