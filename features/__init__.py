"""Rolling windows and cohort ranks. Pure: no I/O, no clock; events and a day in, numbers out."""
