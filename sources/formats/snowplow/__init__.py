"""Snowplow: enriched events, as tab-separated values or in the JSON of its analytics SDKs."""
