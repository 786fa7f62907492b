"""Numbered migrations, ``NNNN_name.sql``, each with an ``-- up`` and a ``-- down`` part.

Every statement can be run again (``IF NOT EXISTS``, ``IF EXISTS``), because ClickHouse has no
transactions over DDL: a migration that was cut off is finished by running it once more.
"""
