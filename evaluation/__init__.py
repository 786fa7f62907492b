"""Backtests and their tables: the production path without Kafka."""
