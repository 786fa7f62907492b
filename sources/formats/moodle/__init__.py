"""Moodle: rows of its standard log, as JSON and as CSV."""
