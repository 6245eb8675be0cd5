"""``crystal-search measure``: how good models are, written into their cards."""

import argparse
from pathlib import Path

from crystal_search.model import default_models_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the arguments of the command."""
    parser.add_argument("--models", type=Path, default=default_models_folder(), help="folder of the two models")
    parser.add_argument("--wells", type=int, default=256, help="rendered test wells to score (default: 256)")
    parser.add_argument("--plate", action="store_true", help="score the demo plate instead")
    parser.add_argument("--images", type=Path, help="folder of photographs to score instead")
    parser.add_argument("--data", help="for the card: what these photographs are")


def run(arguments: argparse.Namespace) -> None:
    """Measure the models."""
    from crystal_search.datasets.rendering import Rendering
    from crystal_search.evaluation.measuring import demo_wells, measure_photographs, measure_wells

    if arguments.images is not None:
        measure_photographs(arguments.images, arguments.models, arguments.data or arguments.images.name)
    elif arguments.plate:
        measure_wells(demo_wells(), arguments.models, "demo plate (rendered)")
    else:
        wells = map(Rendering("test"), range(arguments.wells))
        measure_wells(wells, arguments.models, "rendered test wells")
