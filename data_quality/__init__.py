"""Distinguishes a broken tracker from learners who fall silent, by counts alone. Pure."""
