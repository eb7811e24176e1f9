"""mmlandslide: find landslides in multispectral satellite tiles."""

__version__ = '0.1.0'
