"""The notifier: delivers nudges to learners, once each, and says what became of them.

A process of its own, ``homeroom notifier``. It consumes the nudges, waits for each one's time, looks up the
learner's address, renders the message, hands it to the provider of the channel, and answers on the feedback
topic. ``docs/notifier.md`` says how to run it and what it guarantees; the steps are in :mod:`.delivery`.

The one part of ``nudges`` that talks to the outside. It decides nothing about whether a learner should be
written to: that is the policy's. It only holds back what the policy could not know yet, a wish that came
after the decision.
"""
