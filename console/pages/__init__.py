"""The instructors' page: what the API tells, rendered on the server. Works without scripts, better with."""
