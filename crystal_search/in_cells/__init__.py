"""Crystals in living insect cells: how many a cell has, and what a well yields (docs/in-cells.md)."""
