"""Single crystals in an image: oriented boxes, and from a detector's maps to crystals (numpy)."""
