"""From the records of one fetch to messages that are admitted, each with its event time."""
