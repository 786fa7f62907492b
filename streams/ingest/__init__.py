"""Ingest: reads platforms' topics of any format, and publishes what they say to our own topics.

``batch`` translates the records of one fetch, ``service`` reads and publishes, ``counts`` keeps how many
events there were by name, for the store.
"""
