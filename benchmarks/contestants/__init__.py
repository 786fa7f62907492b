"""The programs that ``benchmarks.throughput`` compares, each run as a process of its own.

Each is given a task as JSON, ``{"broker", "topic", "partitions", "records", "keyed", "folder"}``, reads the
topic from its beginning, and prints ``{"records", "seconds"}``: from the first record it had in hand to the
last one it was done with. ``keyed`` counts the records that have a key.
"""
