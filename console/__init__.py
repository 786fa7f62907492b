"""What people see: an HTTP API over the store, and the instructors' page on top of it.

Knows the contract and the store, and nothing of Kafka, features or models. What it needs of those is
handed in by whoever starts it, through the three small interfaces of :mod:`console.ports`.
"""
