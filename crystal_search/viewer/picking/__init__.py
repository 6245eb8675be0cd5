"""Drops that people ticked, as files for harvesting and dispensing."""
