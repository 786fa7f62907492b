"""What one partition does, pure: events in, risk changes, decisions and rows out. No Kafka, no store, no clock."""
