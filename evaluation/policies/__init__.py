"""A nudge policy tried out before it runs: on the recorded past and on a simulated term."""
