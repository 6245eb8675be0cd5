"""What networks learn from: archives of scored images, and rendered wells, as packed shards."""
