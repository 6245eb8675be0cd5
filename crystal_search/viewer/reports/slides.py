"""A report as slides: a summary of each plate, and a slide for each of its best drops."""

import io
from collections.abc import Callable, Sequence
from typing import Any

from crystal_search.errors import ImageError, UserError
from crystal_search.outcomes import BY_NAME
from crystal_search.server.imaging.stored_images import StoredImage
from crystal_search.viewer.reports.plate_report import BestDrop, PlateReport
from crystal_search.viewer.thumbnails import Picture

PictureOf = Callable[[StoredImage], Picture]
TITLE_ONLY = 5  #: of the layouts that python-pptx's own template has
SIZE_IN = (13.333, 7.5)  #: width and height of a slide, inches
PICTURE_IN = (0.6, 1.5, 7.6, 5.5)  #: left, top, and the greatest width and height of a drop's picture
TEXT_IN = (8.5, 1.5, 4.3, 5.5)
FACTS = ("project", "protein", "owner", "plate_type")


def slides(title: str, reports: Sequence[PlateReport], picture_of: PictureOf) -> bytes:
    """Return a presentation as a PPTX file.

    Raises
    ------
    UserError
        If python-pptx is not installed.
    """
    show = _presentation()
    opening = _slide(show, title)
    _write(opening, (0.6, 1.5, 12, 5.5), [_plate_line(report) for report in reports])
    for report in reports:
        _add_plate(show, report, picture_of)
    file = io.BytesIO()
    show.save(file)
    return file.getvalue()


def _presentation() -> Any:
    try:
        from pptx import Presentation
        from pptx.util import Inches
    except ImportError as error:
        raise UserError("slides need python-pptx: pip install 'crystal-search[reports]'") from error
    show = Presentation()
    show.slide_width, show.slide_height = map(Inches, SIZE_IN)
    return show


def _plate_line(report: PlateReport) -> str:
    return f"{report.plate}: {report.latest.images} drops, {report.crystals} with crystals"


def _add_plate(show: Any, report: PlateReport, picture_of: PictureOf) -> None:
    facts = [(name.replace("_", " "), getattr(report.facts, name)) for name in FACTS]
    lines = [f"{name}: {value}" for name, value in facts if value]
    for each in report.history:
        day = f", {each.day.isoformat()}" if each.day else ""
        machine, people = each.machine["crystal"], each.people["crystal"]
        crystals = f"{machine} by the machine, {people} by people"
        lines.append(f"inspection {each.number}{day}: {each.images} drops, crystals: {crystals}")
    _write(_slide(show, report.plate), (0.6, 1.5, 12, 5.5), lines)
    for best in report.best:
        _add_drop(show, report, best, picture_of)


def _add_drop(show: Any, report: PlateReport, best: BestDrop, picture_of: PictureOf) -> None:
    key = best.drop.image.key
    slide = _slide(show, f"{key.plate} {key.well} drop {key.drop}")
    lines = [f"inspection {key.inspection}, {key.channel}", *drop_lines(best)]
    try:
        content = picture_of(best.drop.image).content
        _place(slide, io.BytesIO(content) if isinstance(content, bytes) else str(content))
    except (ImageError, OSError) as error:
        lines.append(f"no picture: {error}")
    _write(slide, TEXT_IN, lines)


def drop_lines(best: BestDrop) -> list[str]:
    """Return what a report tells of a drop beside its picture."""
    drop = best.drop
    told = [f"{each.person}: {label_of(each.outcome)}" for each in drop.people]
    if drop.current and drop.current.found.score:
        chance = "" if best.p_crystal is None else f", P(crystal) {best.p_crystal:.0%}"
        told.append(f"machine: {label_of(drop.current.outcome)}{chance}")
    told += [f"{each.person} wrote: {each.text}" for each in drop.comments]
    names = [part for part in (best.condition_name, best.condition) if part]
    return told + ([f"condition: {': '.join(dict.fromkeys(names))}"] if names else [])


def label_of(outcome: str) -> str:
    """Return what people call an outcome."""
    return BY_NAME[outcome].label if outcome in BY_NAME else outcome.replace("_", " ")


def _slide(show: Any, title: str) -> Any:
    slide = show.slides.add_slide(show.slide_layouts[TITLE_ONLY])
    slide.shapes.title.text = title
    return slide


def _write(slide: Any, place_in: tuple[float, float, float, float], lines: Sequence[str]) -> None:
    from pptx.util import Inches, Pt

    frame = slide.shapes.add_textbox(*map(Inches, place_in)).text_frame
    frame.word_wrap = True
    frame.text = "\n".join(lines)
    for paragraph in frame.paragraphs:
        paragraph.font.size = Pt(16)


def _place(slide: Any, picture: Any) -> None:
    """Put a picture on a slide, as large as its place allows."""
    from pptx.util import Inches

    left, top, width, height = map(Inches, PICTURE_IN)
    shape = slide.shapes.add_picture(picture, left, top)
    scale = min(width / shape.width, height / shape.height)
    shape.width, shape.height = round(shape.width * scale), round(shape.height * scale)
