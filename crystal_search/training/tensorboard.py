"""Event files for TensorBoard with the numbers of the learning curve."""

from collections.abc import Mapping
from pathlib import Path

FOLDER = "tensorboard"


def add_events(run: Path, step: int, row: Mapping[str, float]) -> None:
    """Write the numbers of a row of the learning curve where TensorBoard finds them, one event file a row."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(run / FOLDER), purge_step=step) as writer:
        for name, number in row.items():
            if name != "step":
                writer.add_scalar(name.replace("_", "/", 1), number, step)  # train/loss, validation/loss
