"""Protein crystals in suspension: rendered images with a mask and an oriented box for every crystal.

After Bischoff et al. (2022), "Training deep neural networks on synthetic images of protein crystals in suspension".
"""
