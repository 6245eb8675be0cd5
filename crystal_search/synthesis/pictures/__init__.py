"""From things to pictures: optics, camera, other channels."""
