"""What is told of a plate or a project on paper and on slides."""
