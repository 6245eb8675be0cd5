"""Archives that im2rec packed for MXNet: chops, each with the number of its class (docs/archives.md)."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath

from crystal_search.archives.archive import Archive, ArchiveImage, ArchiveOptions, Items, LeftOut, naming
from crystal_search.archives.image_places import Place, Places, split_in_name
from crystal_search.archives.label_names import Labels
from crystal_search.archives.recordio import PackedImage, read_images
from crystal_search.class_schemes import names_listed, scheme_named
from crystal_search.errors import UserError

DEFAULT_SCHEME = "outcomes-13"


def open_recordio(path: Path, options: ArchiveOptions) -> Archive:
    """Return the archive in the ``.rec`` file `path`; a ``.lst`` file beside it tells what its chops were called.

    Raises
    ------
    UserError
        If there is no such file, the classes are not named, or one is unknown.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}; name a file NAME.rec that im2rec packed")
    labels = Labels(scheme_named(options.scheme or DEFAULT_SCHEME), chops=True)
    if not options.classes:
        raise UserError(
            f"{path} keeps numbers for classes, not names; say which they are, in the order of the numbers, with "
            f"--class-names NAME,NAME,... or --class-names FILE that has one name a line"
        )
    listed = path.with_suffix(".lst")
    outcomes = tuple(labels.outcome(name) for name in names_listed(options.classes))
    images = partial(_images, path, outcomes, _listed(listed) if listed.is_file() else {})
    return Archive(name=f"packed chops {path.name}", scheme=labels.scheme, images=images)


def _listed(path: Path) -> dict[int, str]:
    """Return the paths in im2rec's list: identifier, labels and path in a line, tabs between."""
    found: dict[int, str] = {}
    try:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            parts = line.split("\t")
            if len(parts) < 3 or not parts[0].strip().isdecimal():
                raise UserError(
                    f"{path} line {number} is not NUMBER<tab>LABEL<tab>PATH; correct it, or take the file away to "
                    f"read {path.with_suffix('.rec').name} without names"
                )
            found[int(parts[0])] = parts[-1].strip().replace("\\", "/")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}; take it away or copy it again") from error
    return found


def _images(path: Path, outcomes: Sequence[str], paths: Mapping[int, str]) -> Items:
    """Yield the chops of classes 0, 1, ... with `outcomes`; `paths` are those of the packed files by identifier.

    Some programs leave all identifiers at 0; then the records' numbers are what tells chops apart.
    """
    places, split = Places(paths.values()), split_in_name(path.name)
    are_numbered = any(packed.identifier for packed in islice(read_images(path), 2))
    seen: set[int] = set()
    for number, packed in enumerate(read_images(path)):
        with naming(f"{path}, record {number}"):
            outcome = _outcome(packed, outcomes)
        identifier = packed.identifier if are_numbered else number
        listed, numbered = paths.get(identifier) if are_numbered else None, f"{path.stem}/{identifier}"
        place = places.of(listed) if listed else Place(numbered, is_known=False)
        name = f"{numbered} {PurePosixPath(listed).name}" if listed else numbered
        if identifier in seen:
            yield LeftOut(name, "packed again", f"record {number}")
            continue
        seen.add(identifier)
        yield ArchiveImage(
            name=name,
            content=packed.encoded,
            outcome=outcome,
            well=place.well,
            plate=place.plate,
            is_drop_known=place.is_known,
            split=split,
            is_chop=True,
        )


def _outcome(packed: PackedImage, outcomes: Sequence[str]) -> str:
    if len(packed.labels) != 1 or packed.labels[0] not in range(len(outcomes)):
        labels = ", ".join(f"{label:g}" for label in packed.labels)
        raise UserError(
            f"the label is {labels}, expected a whole number below {len(outcomes)}, the number of classes that were "
            f"named; name them all, in order"
        )
    return outcomes[int(packed.labels[0])]
