"""Puts services together with what they may not import: brokers, models, settings."""
