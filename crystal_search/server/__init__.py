"""Imaging databases, packing, engines, and the services between them."""
