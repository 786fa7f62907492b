"""Backtests and their figures: the production code without Kafka, on recorded or simulated learners."""
