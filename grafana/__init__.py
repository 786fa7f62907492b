"""Boards as code, and what a Grafana needs to provision them. Reads the store; imports none of our code."""
