"""The instructors' pages: the API's data rendered on the server. They work without scripts, better with
them."""
