"""``/api/v1``: one module a subject, each a router; :mod:`console.app` puts them together."""
