"""Tells a broken tracker from learners who fall silent, from counts alone. Pure."""
