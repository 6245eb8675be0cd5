"""Settings of all tests."""

import os

from hypothesis import settings

# Threads that wait for each other do so busily: on a machine that has other work too, one alone is many times faster.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No time limit for an example: the machines are shared, and speed is the benchmarks' business.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")
