"""What a dataset holds, as a table of text."""

from collections import Counter

from crystal_search.datasets.packed import PackedDataset
from crystal_search.outcomes import NO_DROP, OUTCOME_NAMES
from crystal_search.wells import SPLITS


def summary(dataset: PackedDataset) -> str:
    """Return how many chops and whole images of each outcome each split has."""
    about = dataset.about
    size = sum(shard.bytes for shard in about.shards)
    lines = [
        f"{dataset.folder}: {about.scheme}, {about.normalisation}, from {', '.join(about.sources)}",
        f"{len(about.shards)} shards, {size / 1e6:.0f} MB",
    ]
    for what, counts in (
        ("chops", {split: Counter(row.outcome for row in dataset.chops(split)) for split in SPLITS}),
        ("whole images", {split: Counter(row.outcome for row in dataset.wells(split)) for split in SPLITS}),
    ):
        lines += ["", f"{what:22}" + "".join(f"{split:>12}" for split in SPLITS)]
        for name in (*OUTCOME_NAMES, NO_DROP):
            if any(counts[split][name] for split in SPLITS):
                lines.append(f"  {name:20}" + "".join(f"{counts[split][name]:12}" for split in SPLITS))
        lines.append(f"  {'in all':20}" + "".join(f"{counts[split].total():12}" for split in SPLITS))
    return "\n".join(lines) + "\n"
