"""Canvas: its Live Events in their native format, as Canvas Data Services send them.

Source: Instructure's documentation of Live Events. ``events`` reads the parts of an event, ``messages`` says
what they mean for a learner.
"""
