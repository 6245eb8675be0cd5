"""Picture files: from bytes to 8-bit pixels, whole and right, or refused with the reason (docs/pictures.md)."""
