"""Where events come from: each source is a time-ordered stream of published messages."""
