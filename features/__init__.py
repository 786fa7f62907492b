"""Rolling windows and cohort ranks. Pure: no I/O, no clock; numbers from events and a day."""
