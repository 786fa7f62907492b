"""Rosters and calendars: what no event says, such as who is enrolled and has never been there."""
