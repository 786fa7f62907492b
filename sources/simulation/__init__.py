"""The learner simulator's parts, in the order of the way: plan, cohort, engagement, sessions, messages.

Beside it a run that answers to nudges: responses, the hidden truth, and world.
"""
