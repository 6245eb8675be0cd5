"""Training the networks: what they learn from, how, and where a training stands."""
