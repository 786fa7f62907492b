"""The whole pipeline on one machine: local brokers, the demo, and the processes around a replay."""
