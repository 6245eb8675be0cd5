"""Label noise: the images whose labels a trained network doubts most, for people to look at once more."""
