"""From a robot's folder to the imaging database."""
