"""The drop locator: where the liquid is in a well image."""
