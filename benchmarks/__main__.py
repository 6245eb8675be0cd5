"""``python -m benchmarks``: measure everything and print one table."""

import sys

from benchmarks import bench_gpu, bench_memory, bench_quality, bench_scoring
from benchmarks.table import table

if __name__ == "__main__":
    found = [row for module in (bench_scoring, bench_gpu, bench_memory, bench_quality) for row in module.rows()]
    print(table(found))
    sys.exit(any(row.reached is False for row in found))
