"""The programs that ``benchmarks.throughput`` compares, each run as a process of its own.

Each gets a task as JSON, ``{"broker", "topic", "partitions", "records", "keyed", "folder"}``, reads the topic
from its beginning, and prints ``{"records", "seconds"}``: from the first record received to the last one
processed. ``keyed`` is the number of records with a key.
"""
