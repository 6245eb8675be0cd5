"""Kills and faults at random moments, with the real client: `campaign` runs them, `verdict` says how it ended."""
