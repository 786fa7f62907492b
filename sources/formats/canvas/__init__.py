"""Canvas: its Live Events in the native and the Caliper format, as Canvas Data Services send them.

Source: Instructure's documentation of Live Events. ``events`` reads the parts of an event, ``messages`` says
what they mean for a learner; ``caliper`` makes a native event of one in the other format.
"""
