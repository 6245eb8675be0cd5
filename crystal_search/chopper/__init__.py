"""Chops: where they lie over a drop, and cutting them."""
