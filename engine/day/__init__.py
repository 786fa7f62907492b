"""What happens when an event day ends: aggregates, matured labels, outcomes of nudges, transitions."""
