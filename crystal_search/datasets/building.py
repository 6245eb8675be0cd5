"""Building a packed dataset: archives -> drops -> chops -> splits -> shards, tables and report."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from crystal_search.archives.archive import Archive, ArchiveImage, LeftOut
from crystal_search.class_schemes import TRAINABLE, columns_by_outcome, scheme_named
from crystal_search.datasets.archive_reading import ImageRecord, Read, items_of, read_archives
from crystal_search.datasets.chop_recipe import MARGIN_PX, SIDE_PX, Recipe
from crystal_search.datasets.chopping import CHOP_FIELDS
from crystal_search.datasets.dataset_report import Built, write_report
from crystal_search.datasets.dividing import DEFAULT_SHARES, TRAIN, Division, divided
from crystal_search.datasets.fingerprints import ALIKE_BITS, alike_pairs, near_pairs
from crystal_search.datasets.packed import ABOUT, CHOPS, IMAGES, JPEG, About, ShardFile, about_json
from crystal_search.datasets.packing_shards import ShardWriter, Spool, write_table
from crystal_search.datasets.whole_images import parts_of
from crystal_search.errors import ImageError, UserError
from crystal_search.files import write_whole
from crystal_search.images import WORKING_WIDTH_PX
from crystal_search.outcomes import NO_DROP
from crystal_search.wells import SPLITS
from crystal_search.whole_folders import whole_folder

LEFT_OUT = "left-out.csv"  #: table of what was not taken, rows of `archive.LeftOut`
DUPLICATE = "the same file as another"
LARGEST_GROUP = 0.5  #: of all images, in one group of what looks alike
OTHER_SPLIT = "its publisher's split is not that of its plate, well or double"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to build, beside how chops are chosen."""

    classes: int | None = None  #: a key of `TRAINABLE`; None for what the archives have
    split_by: str | None = None  #: ``plate`` or ``well``; None for plates where they are known
    shares: Mapping[str, float] = field(default_factory=DEFAULT_SHARES.copy)
    seed: int = 0
    earlier: Mapping[str, str] = field(default_factory=dict)  #: wells that stay in the split they were in
    workers: int = 1
    command: str = ""


def build(archives: Sequence[Archive], out: Path, recipe: Recipe, plan: Plan) -> Built:
    """Build the dataset `out` from `archives`.

    Raises
    ------
    UserError
        If nothing can be built from them, `out` is there already, or the disk is full. Nothing is left behind.
    """
    scheme = scheme_for(archives, plan.classes)
    with whole_folder(out) as folder:
        with Spool(folder / "spool") as spool:
            read = read_archives(archives, recipe, spool, plan.workers)
            records = without_duplicates(read)
            division = division_of(records, plan)
            by_split = sorted_out(records, division, read.left_out)
            check_classes(by_split, scheme, read.left_out, plan.shares)
            shards = write_chops(folder, by_split, spool, plan.seed)
        shards += write_images(folder, by_split, archives)
        built = Built(
            about=about_dataset(archives, recipe, plan, tuple(shards)),
            recipe=recipe,
            division=division,
            drops_unknown=[record.name for record in records if not record.is_drop_known],
            images={split: Counter(record.outcome for record in each) for split, each in by_split.items()},
            left_out=read.left_out,
        )
        write_table(folder / LEFT_OUT, LeftOut, read.left_out)
        write_report(folder, built)
        write_whole(folder / ABOUT, about_json(built.about))
    return built


def about_dataset(archives: Sequence[Archive], recipe: Recipe, plan: Plan, shards: tuple[ShardFile, ...]) -> About:
    """Return what ``dataset.json`` says."""
    return About(
        scheme=scheme_for(archives, plan.classes),
        side_px=SIDE_PX,
        margin_px=MARGIN_PX,
        working_width_px=WORKING_WIDTH_PX,
        normalisation=recipe.normalisation,
        sources=sources_of(archives),
        command=plan.command,
        shards=shards,
    )


def sources_of(archives: Sequence[Archive]) -> tuple[str, ...]:
    """Return the names of the archives, and how many of their labels people corrected."""
    corrected = max((each.corrected for each in archives), default=0)
    names = tuple(archive.name for archive in archives)
    return (*names, f"{corrected} labels corrected by people") if corrected else names


def division_of(records: Sequence[ImageRecord], plan: Plan) -> Division:
    """Return which split each image belongs to.

    A whole image that tells no drop, and that no publisher put anywhere, goes where those go that look like it. Where
    that would make one group of most images, they must look more alike.
    """
    fingerprints = [record.fingerprint for record in records]
    same = list(near_pairs(fingerprints))
    unknown = [at for at, each in enumerate(records) if not (each.is_drop_known or each.is_chop or each.published)]
    alike = list(alike_pairs(fingerprints, unknown))
    for bits in ALIKE_BITS if alike else ():
        found = _divided(records, [*same, *((one, other) for one, other, apart in alike if apart <= bits)], plan)
        if max(Counter(found.groups).values()) <= LARGEST_GROUP * len(records):
            return found
    return _divided(records, same, plan)


def _divided(records: Sequence[ImageRecord], pairs: Iterable[tuple[int, int]], plan: Plan) -> Division:
    return divided(
        [record.member for record in records],
        pairs,
        by=plan.split_by,
        shares=plan.shares,
        seed=plan.seed,
        earlier=plan.earlier,
    )


def scheme_for(archives: Sequence[Archive], classes: int | None) -> str:
    """Return the scheme of a dataset of `archives`, or the one with the number of `classes` that was asked for.

    Raises
    ------
    UserError
        If an archive was scored in coarser classes than were asked for.
    """
    finest = TRAINABLE[13]
    coarse = [archive for archive in archives if archive.scheme.name != finest]
    if classes is not None:
        if TRAINABLE[classes] == finest and coarse:
            first = coarse[0]
            raise UserError(
                f"{first.name} was scored in the {len(first.scheme.classes)} classes of {first.scheme.name}, "
                f"too coarse for {classes}; build with --classes 5 or 4"
            )
        return TRAINABLE[classes]
    if not coarse:
        return finest
    return TRAINABLE[4] if any(archive.scheme.name == TRAINABLE[4] for archive in coarse) else TRAINABLE[5]


def without_duplicates(read: Read) -> list[ImageRecord]:
    """Return the images that are no copy of an earlier one; the others are listed as left out."""
    first: dict[bytes, ImageRecord] = {}
    for record in read.records:
        known = first.setdefault(record.digest, record)
        if known is not record:
            differs = "" if known.outcome == record.outcome else f", called {known.outcome}, not {record.outcome}"
            read.left_out.append(LeftOut(record.name, DUPLICATE, f"{known.name}{differs}"))
    return list(first.values())


def sorted_out(
    records: Sequence[ImageRecord], division: Division, left_out: list[LeftOut]
) -> dict[str, list[ImageRecord]]:
    """Return the images of each split; those that are in none are listed as left out."""
    by_split: dict[str, list[ImageRecord]] = {split: [] for split in SPLITS}
    for record, split in zip(records, division.splits, strict=True):
        if split is None:
            detail = f"published in {record.published}"
            left_out.append(LeftOut(record.name, OTHER_SPLIT, detail))
        else:
            by_split[split].append(record)
    return by_split


def check_classes(
    by_split: Mapping[str, Sequence[ImageRecord]],
    scheme: str,
    left_out: Sequence[LeftOut],
    shares: Mapping[str, float],
) -> None:
    """Refuse what no network can learn from.

    Raises
    ------
    UserError
        If a split has no chops, but for one that was to have no share and has none, or the training chops are all of
        one class.
    """
    columns = columns_by_outcome(scheme_named(scheme))
    if not any(by_split.values()):
        raise UserError(f"no image could be used{_why(left_out)}; see that the archive's folder and --from are right")
    for split, records in by_split.items():
        if not records and not shares[split]:
            continue
        outcomes = {kept.chop.outcome for record in records for kept in record.chops}
        if not outcomes and any(record.has_objects for record in records):
            continue
        if not outcomes:
            raise UserError(
                f"nothing is left for {split}, of {len(records)} images{_untold(by_split)}; give more images, other "
                "--shares, --split-by well or lower --threshold"
            )
        classes = {columns[outcome] for outcome in outcomes}
        if split == TRAIN and len(classes) == 1:
            only = scheme_named(scheme).class_names[classes.pop()]
            raise UserError(
                f"all training chops are of one class, {only}; a network needs at least two to tell apart: "
                "add images of other outcomes"
            )


def _untold(by_split: Mapping[str, Sequence[ImageRecord]]) -> str:
    """Return how many images may be kept together because they do not tell their drop; nothing where all do."""
    count = sum(not record.is_drop_known for records in by_split.values() for record in records)
    advice = "those of one name, or that look alike, are kept together: say which in a table with a column well"
    return f" ({count} do not tell which drop they show; {advice})" if count else ""


def _why(left_out: Sequence[LeftOut]) -> str:
    """Return the most frequent reasons for which something was left out, each with the first case."""
    first: dict[str, str] = {}
    for row in left_out:
        first.setdefault(row.reason, f"{row.name}: {row.detail}" if row.detail else row.name)
    reasons = Counter(row.reason for row in left_out).most_common(3)
    return "".join(f"; {count} times {reason}, first {first[reason]}" for reason, count in reasons)


def write_chops(
    folder: Path, by_split: Mapping[str, Sequence[ImageRecord]], spool: Spool, seed: int
) -> list[ShardFile]:
    """Write all chops, those of each split in an order drawn with `seed`."""
    shards: list[ShardFile] = []
    for split, records in by_split.items():
        chops = [(record, number, kept) for record in records for number, kept in enumerate(record.chops)]
        random.Random(f"{seed} {split}").shuffle(chops)
        with ShardWriter(folder, CHOPS, split, [kept.place.size for _, _, kept in chops]) as writer:
            for record, number, kept in chops:
                about_chop = {name: getattr(kept.chop, name) for name in ("outcome", *CHOP_FIELDS)}
                known = record.known | {"key": f"{record.key}-{number:03d}"} | about_chop
                writer.write(known, {JPEG: spool.read(kept.place)})
        shards += writer.shards
    return shards


def write_images(
    folder: Path, by_split: Mapping[str, Sequence[ImageRecord]], archives: Sequence[Archive]
) -> list[ShardFile]:
    """Write whole images: all to validate and test on, and to train on those of which more is known.

    Raises
    ------
    UserError
        If an image went away, or changed, while the dataset was built.
    """
    wanted = {
        record.name: (split, record)
        for split, records in by_split.items()
        for record in records
        if not record.is_chop and (split != TRAIN or record.worth_keeping or record.outcome == NO_DROP)
    }
    with ExitStack() as stack:
        writers = {}
        for split in SPLITS:
            sizes = [each.bytes for at, each in wanted.values() if at == split]
            writers[split] = stack.enter_context(ShardWriter(folder, IMAGES, split, sizes))
        for image in items_of(archives):
            if isinstance(image, ArchiveImage) and image.name in wanted:
                split, record = wanted.pop(image.name)
                writers[split].write(record.known, _parts(image))
    if wanted:
        raise UserError(f"{next(iter(wanted))} went away while the dataset was built; build again")
    return [shard for split in SPLITS for shard in writers[split].shards]


def _parts(image: ArchiveImage) -> dict[str, bytes]:
    try:
        return parts_of(image)
    except (OSError, ImageError) as error:
        raise UserError(f"{image.name} changed while the dataset was built: {error}; build again") from error
