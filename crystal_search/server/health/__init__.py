"""What waits, what runs, what failed, and how fast it all goes."""
