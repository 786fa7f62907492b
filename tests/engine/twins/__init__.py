"""Twins: copies of simulated learners with one fact changed. What a fact does not mean moves no estimate."""
