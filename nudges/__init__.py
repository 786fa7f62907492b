"""Risk levels and the policy that decides on nudges. Pure: no I/O, no clock; a change in, a decision out."""
