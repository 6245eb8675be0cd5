"""The imaging database: its nouns, and its implementations in SQL and in memory."""
