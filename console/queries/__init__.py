"""Questions to the store, one subject a module. Values always travel as parameters, never in the SQL.

Every function takes the course runs that the asking key may see, and no row of another one leaves it.
"""
