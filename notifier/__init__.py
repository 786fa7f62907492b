"""The notifier: delivers nudges to learners, once each, and reports the outcome.

A process of its own, ``homeroom notifier``. It consumes the nudges, waits for each one's time, looks up the
learner's address, renders the message, hands it to the provider of the channel, and reports on the feedback
topic. ``docs/notifier.md`` says how to run it and what it guarantees; the steps are in :mod:`.delivery`.

It does not decide whether a learner should get a message: the policy does. It only holds back what the policy
could not know, a wish or a cancellation that came after the decision.
"""
