"""Populations of crystals over time: from crystals that were found to distributions, tests, rates, one page."""
