"""Settings of all tests."""

from hypothesis import settings

# No time limit for an example: the machines are shared, and speed is the benchmarks' business.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")
