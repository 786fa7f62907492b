"""Composition roots: connects services with the brokers, models and settings that they may not import."""
