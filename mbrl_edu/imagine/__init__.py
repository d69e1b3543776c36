"""What an agent imagines with its model: rollouts, and the worth of plans."""
