"""Caliper Analytics: events that platforms and tools send in envelopes, as 1EdTech's standard has them.

Sources: Caliper 1.1 and 1.2 (1EdTech, formerly IMS Global), and what Blackboard's and Moodle's sensors send.
``entities`` reads what an event points at, ``events`` its parts, ``messages`` says what they mean for a
learner.
"""
