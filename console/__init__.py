"""The console: an HTTP API over the store, and the instructors' pages on top of it.

Uses the message schemas and the store, and nothing of Kafka, features or models. What it needs of those is
passed in by the caller, through the small interfaces of :mod:`console.ports`.
"""
