"""Options of trainings on rendered wells that can run on a GPU."""

import argparse


def device_arguments(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options of a training that can run on a GPU."""
    parser.add_argument("--device", help="keep wells on this device and train there, such as cuda (default: neither)")
    parser.add_argument("--minutes", type=float, help="end after so much training, if not before (default: never)")
