"""The report on photographs: tables, contact sheets on which a person counts outlines, and a page with the mistakes."""

import base64
import re
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from crystal_search.evaluation.photographs import Verdict, real_well_table
from crystal_search.evaluation.tables import Column, Table, csv_of, markdown_of
from crystal_search.files import write_whole
from crystal_search.images import contact_sheet, decode, picture_file
from crystal_search.outcomes import BY_NAME, GREY, Group

CELL_PX, CELLS, COLUMNS = (306, 256), 96, 12  #: of a contact sheet: size of a picture, how many, how many in a row
SHOWN = 48  #: mistakes of a kind on the page
FRAME_PX, TEXT_PX = 4, 15
OUTLINE = "#f0a000"

WELL_COLUMNS = (
    Column("file", "File"),
    Column("source", "Source"),
    Column("label", "Label"),
    Column("answer", "Answer"),
    Column("crystal_score", "Crystal score", "number", 6),
    Column("drop_found", "Drop found", "count"),
    Column("drop_share", "Part of the image", "number", 4),
    Column("iou", "IoU of the drop", "number", 4),
    Column("seconds", "Seconds", "number", 3),
    Column("error", "Error"),
)


def write_report(folder: Path, found: Sequence[Verdict], *, ignored: int, models: str) -> str:
    """Write the report into `folder`, the page last; return the table as Markdown."""
    table = real_well_table(found)
    folder.mkdir(parents=True, exist_ok=True)
    sheets = list(_sheets(found))
    for name, data in sheets:
        write_whole(folder / name, data)
    write_whole(folder / "wells.csv", csv_of(well_table(found)).encode())
    write_whole(folder / "real-wells.csv", csv_of(table).encode())
    page = _page(found, table, [name for name, _ in sheets], ignored=ignored, models=models)
    write_whole(folder / "index.html", page.encode())
    return markdown_of(table)


def well_table(found: Sequence[Verdict]) -> Table:
    """Return a row for each photograph."""
    rows = []
    for each in found:
        drop = each.found.score.drop
        rows.append(
            (
                each.label.file,
                each.label.source,
                each.label.label,
                each.found.score.outcome,
                each.crystal_score if each.readable else None,
                int(each.drop_found),
                drop.area_fraction if drop else None,
                each.overlap,
                each.found.seconds,
                each.found.score.error,
            )
        )
    return Table("wells", WELL_COLUMNS, tuple(rows))


def _sheets(found: Sequence[Verdict]) -> Iterator[tuple[str, bytes]]:
    """Yield the contact sheets of each source, by name."""
    for source in dict.fromkeys(each.label.source for each in found):
        mine = [each for each in found if each.label.source == source]
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", source)
        for number, start in enumerate(range(0, len(mine), CELLS), start=1):
            cells = [picture(each) for each in mine[start : start + CELLS]]
            yield f"outlines-{name}-{number}.png", contact_sheet(cells, COLUMNS)


def picture(verdict: Verdict) -> Pillow.Image:
    """Return a small picture of a photograph: the drop outlined, a frame in the answer's colour, its letter."""
    width, height = CELL_PX
    cell = Pillow.new("RGB", CELL_PX, "#404040")
    draw = ImageDraw.Draw(cell)
    score, outcome = verdict.found.score, BY_NAME.get(verdict.found.score.outcome)
    if verdict.readable:
        seen = decode(verdict.label.path.read_bytes(), at_least_width_px=width).colour
        scale = min(width / seen.shape[1], height / seen.shape[0])
        size = (max(1, round(seen.shape[1] * scale)), max(1, round(seen.shape[0] * scale)))
        cell.paste(Pillow.fromarray(np.ascontiguousarray(seen)).resize(size, Pillow.Resampling.BOX))
        if score.drop and len(score.drop.outline) > 2:
            part = size[0] / score.width_px
            points = [(column * part, row * part) for row, column in score.drop.outline]
            draw.line([*points, points[0]], fill=OUTLINE, width=2)
    draw.rectangle((0, 0, width - 1, height - 1), outline=outcome.frame if outcome else GREY, width=FRAME_PX)
    text = f"{outcome.letter if outcome else '-'} {verdict.crystal_score:.2f}"
    place, font = (FRAME_PX + 3, FRAME_PX + 1), ImageFont.load_default(TEXT_PX)
    draw.text(place, text, "#ffffff", font, stroke_width=2, stroke_fill="#000000")
    return cell


def mistakes(found: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """Return the photographs about which the models are wrong, by kind, the worst first."""
    readable = [each for each in found if each.readable]
    called = [each for each in readable if each.called is Group.CRYSTAL and not each.label.crystal]
    missed = [each for each in readable if each.called is not Group.CRYSTAL and each.label.crystal]
    return {
        "Called crystal without one": sorted(called, key=lambda each: -each.crystal_score),
        "Crystals missed": sorted(missed, key=lambda each: each.crystal_score),
        "Drops not found": [each for each in readable if not each.label.empty and not each.drop_found],
        "Drops found in empty wells": [each for each in readable if each.label.empty and each.drop_found],
    }


def _page(found: Sequence[Verdict], table: Table, sheets: Sequence[str], *, ignored: int, models: str) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = files("crystal_search.evaluation") / "photographs.html"
    kinds = {
        kind: [(each, _embedded(each)) for each in wrong[:SHOWN]] for kind, wrong in mistakes(found).items() if wrong
    }
    return environment.from_string(source.read_text(encoding="utf-8")).render(
        headings=[column.heading for column in table.columns],
        rows=table.shown(),
        kinds=kinds,
        counts={kind: len(wrong) for kind, wrong in mistakes(found).items()},
        sheets=sheets,
        ignored=ignored,
        models=models,
        unreadable=[each for each in found if not each.readable],
    )


def _embedded(verdict: Verdict) -> str:
    return base64.b64encode(picture_file(picture(verdict), "JPEG", quality=85)).decode()
