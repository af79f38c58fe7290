"""A durable runtime for coding-agent work."""
