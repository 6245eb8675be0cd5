"""Who asks the viewer, and what they may do."""
