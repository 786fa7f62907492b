"""The instructors' pages, rendered on the server. They work without scripts, better with them."""
