"""The results' store: ClickHouse over its native protocol, and an embedded store with the same protocol.

Knows the tables and how to write and read them; nothing of Kafka, features or models.
"""
