"""Queries of the store, one module per subject. Values are always parameters, never part of the SQL.

Every function takes the course runs within the key's scope, and returns no row of another one.
"""
