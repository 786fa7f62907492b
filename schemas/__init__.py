"""The contract: pydantic models of every topic's messages. Knows nothing of how they travel."""
