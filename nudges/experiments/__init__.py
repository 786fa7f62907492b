"""Measures what nudges do: arms and outcomes, effects with intervals, choice between variants. Pure.

Read in this order: ``exposure`` (which decisions compare), ``outcomes`` (what is measured, and when it is
known), ``effects`` (differences with their intervals), ``report`` (a table of them), ``size`` (how many
learners a trial needs), ``bandit`` (choosing a variant, with exact propensities), ``off_policy`` (what
another policy would have done), ``training`` (how nudged learners count in training the risk model).
"""
