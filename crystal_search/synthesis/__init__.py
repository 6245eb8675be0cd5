"""Rendered wells and crystals with exact truth, to train and to demonstrate on."""
