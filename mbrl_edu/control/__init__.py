"""What improves a policy from transitions, real or imagined."""
