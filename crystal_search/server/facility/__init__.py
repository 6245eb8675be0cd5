"""Other people's databases, from which images are pulled and to which scores are pushed."""
