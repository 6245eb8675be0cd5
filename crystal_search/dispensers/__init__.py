"""What dispensers call plates and drops, and the lists that tell them where to go."""
