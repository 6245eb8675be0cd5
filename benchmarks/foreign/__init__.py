"""Twelve rendered imagers unlike those that the shipped weights learnt from (docs/foreign-imagers.md)."""
