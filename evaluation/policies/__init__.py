"""Evaluation of a nudge policy before it runs: on the recorded past, and on a simulated term."""
