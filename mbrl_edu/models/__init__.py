"""What an agent learns of its world: p_hat(s', r | s, a)."""
