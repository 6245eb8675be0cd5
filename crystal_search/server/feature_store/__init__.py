"""The features of every score: rows that are only added, found by image, model and picture."""
