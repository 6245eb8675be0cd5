"""Crystals in living insect cells: rendered bright field images and confocal sections with exact truth.

After Kardoost et al. (2024), "Convolutional neural network approach for the automated identification of in cellulo
crystals". Units of frames are micrometres here.
"""
