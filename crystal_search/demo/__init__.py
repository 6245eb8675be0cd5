"""The demo plate and the main job that shows the whole path."""
