"""Trained detectors that come with the package, each in a folder of its own with a card."""

from mmlandslide.zoo.model import DEFAULT, SCHEME, Model, find, names, open_folder

__all__ = ['DEFAULT', 'SCHEME', 'Model', 'find', 'names', 'open_folder']
