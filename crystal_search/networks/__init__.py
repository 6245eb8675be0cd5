"""Networks: their definitions, and a registry. Needs torch; nothing here trains."""
