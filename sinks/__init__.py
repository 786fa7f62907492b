"""Where results land: ClickHouse over its native protocol, and an embedded store that speaks the same.

Knows tables and how to write and read them; nothing of Kafka, features or models.
"""
