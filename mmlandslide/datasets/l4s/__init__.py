"""Landslide4Sense un-shuffled: a copy's order, mosaics, whole objects, honest splits and leaks."""
