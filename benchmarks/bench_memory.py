"""Memory of the client process, one well at a time."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.table import Row
from benchmarks.wells import drawn_jpeg, drawn_tiff
from crystal_search.model import default_models, default_models_folder, read_model, references
from crystal_search.work_unit import Parameters, write_work_unit


def peak_mb(data: bytes, *, images: int = 4, detector: Path | None = None) -> float:
    """Return the largest resident size in MB of a client that scores `images` times the same image.

    With the card of a crystal detector it is searched, too.
    """
    used = default_models(default_models_folder(), but=("crystals",) if detector else ())
    models = references([*used, *([read_model(detector)] if detector else [])])
    parameters = Parameters(no_drop="whole_image", crystals_from=0.0)
    with tempfile.TemporaryDirectory() as folder:
        unit, out = Path(folder) / "unit.zip", Path(folder) / "out"
        contents = [(str(number), ".jpg", data) for number in range(images)]
        write_work_unit(unit, name="unit", models=models, parameters=parameters, images=contents)
        # A process of its own between us and the client: its children's peak is the client's alone.
        code = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        client = [sys.executable, "-m", "crystal_search.client", str(unit), "--out", str(out)]
        folders = [default_models_folder(), *([detector.parent] if detector else [])]
        client += [word for each in folders for word in ("--models", str(each))]
        ended = subprocess.run([sys.executable, "-c", code, *client], capture_output=True, text=True, check=True)
    unit_kb = 1 if sys.platform.startswith("linux") else 1 / 1024
    return float(ended.stdout) * unit_kb / 1024


def rows() -> list[Row]:
    """Return every figure of this module."""
    usual = peak_mb(drawn_jpeg())
    largest = peak_mb(drawn_jpeg(height=4000, width=5000, drop_px=3600))
    deep = peak_mb(drawn_tiff(height=5000, width=5000, drop_px=3600))
    return [
        Row("client, peak memory, 2452 x 2056 wells", f"{usual:.0f} MB", "<= 600 MB", usual <= 600),
        Row("client, peak memory, 5000 x 4000 wells, all drop", f"{largest:.0f} MB", "<= 600 MB", largest <= 600),
        Row("client, peak memory, 5000 x 5000 wells, 16-bit TIFF", f"{deep:.0f} MB", "<= 600 MB", deep <= 600),
    ]
