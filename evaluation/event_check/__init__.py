"""Checks a sample of a platform's records before they are sent: ``homeroom check-events``.

``verdicts`` says of each record what a worker would, by the worker's own code; ``counting`` adds that up in
bounded memory to the plain figures of ``counts``; ``findings`` are pure functions of those, and ``report``
shows them.
"""
