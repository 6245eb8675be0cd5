"""The plate viewer, a web page."""
