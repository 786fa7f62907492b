"""The learner simulator's parts, in the order of use: plan, cohort, engagement, sessions, messages.

For runs whose learners respond to nudges also responses (the hidden truth) and world.
"""
