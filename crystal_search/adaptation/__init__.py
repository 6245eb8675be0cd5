"""What the labels of one imager add to the shipped models: numpy only, on arrays that say nothing of files."""
