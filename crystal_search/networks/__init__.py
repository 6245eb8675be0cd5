"""Classifiers: their definitions, their training, their export. Needs torch; the client does not."""
