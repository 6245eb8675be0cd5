"""From an archive of scored images to packed shards of training chops, and back from the shards."""
