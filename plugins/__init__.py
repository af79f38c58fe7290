"""Who can do the work: agents, models, sandboxes and what they have in common."""
