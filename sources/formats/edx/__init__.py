"""Open edX: its tracking log, and its event bus.

Sources: the EdX Research Guide (*Events in the Tracking Logs*), and the events and Avro schemas of
openedx-events. ``tracking`` and ``bus`` are the two formats; ``events`` reads the parts of a tracking event,
``messages`` says what they mean for a learner.
"""
