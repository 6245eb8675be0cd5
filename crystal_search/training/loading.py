"""Networks read back as their trainings left them, whatever the task was."""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from crystal_search.errors import UserError
from crystal_search.images import channels_of
from crystal_search.model_card import ROLES
from crystal_search.networks.architectures import build
from crystal_search.training.checkpoints import BEST, load_checkpoint
from crystal_search.training.run_record import RunRecord, read_run


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A network as its training left it."""

    folder: Path
    record: RunRecord
    network: nn.Module  #: set to evaluation


def load_trained(folder: Path, role: str = "classifier") -> Trained:
    """Return the network whose training is in `folder`, with its best weights where some were kept as the best.

    Raises
    ------
    UserError
        If there is no record of a training, or it is one of another role.
    ModelError
        If there are no weights, or they are of another network.
    """
    record = read_run(folder)
    if record.role != role:
        there, expected = (ROLES[each].title if each in ROLES else each for each in (record.role, role))
        raise UserError(f"{folder} trained a {there}; name the training of a {expected}")
    network = build(record.architecture, len(record.classes), channels_of(record.normalisation))
    load_checkpoint(folder, network, name=BEST if (folder / BEST).exists() else None)
    return Trained(folder, record, network.eval())
