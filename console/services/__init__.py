"""What the API and the pages both do, by subject; each module answers within the scope of a key.

Scopes are applied, names are filled in and messages are made here and nowhere else. Knows no HTTP but the
problems that it raises.
"""
