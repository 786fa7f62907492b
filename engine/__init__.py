"""What one partition does with its events. Pure: no Kafka, no store, no clock."""
