"""The Kafka shell: what moves events between topics and the pure middle, and keeps its state."""
