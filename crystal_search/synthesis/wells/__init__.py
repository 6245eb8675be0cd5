"""Rendered wells: scenes, series of inspections, whole plates, with exact truth."""
