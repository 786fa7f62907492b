"""All state of one partition: the row of each enrolment and what belongs to all of them."""
