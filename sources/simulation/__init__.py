"""The learner simulator's parts, in the order of the way: plan, cohort, engagement, sessions, messages."""
