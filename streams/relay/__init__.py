"""The relay: delivers risk changes and nudges to an HTTP endpoint, for platforms without Kafka.

``forms`` makes a request's body of a message, by ``xapi``, ``caliper`` and :mod:`schemas.cloud_event`;
``signing`` signs it, ``delivery`` sends it until it is taken, ``service`` reads the topics.
"""
