"""Scoring without an installation: files and folders from the command line, and how fast this machine is."""
