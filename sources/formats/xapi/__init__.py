"""The Experience API: statements of what somebody did, as learning record stores keep and forward them.

Sources: xAPI 1.0.3 (adlnet/xAPI-Spec), IEEE 9274.1.1 (2.0), the video profile, cmi5, and the names that Open
edX's and Moodle's exporters use. ``statements`` and ``actors`` read the parts of a statement, ``messages``
says what they mean for a learner, ``terms`` has the names.
"""
