"""The services that the API and the pages share, by subject; each result is within the scope of a key.

Scopes are applied, names are added and messages are built here and nowhere else. Only the errors have HTTP
statuses.
"""
