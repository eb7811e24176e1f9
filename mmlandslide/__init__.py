"""mmlandslide: find landslides in multispectral satellite tiles."""

from typing import TYPE_CHECKING, Any

from mmlandslide.proj import forget_foreign_databases

if TYPE_CHECKING:
    from mmlandslide.scenes.detector import LandslideDetector

__version__ = '0.1.0'
__all__ = ['LandslideDetector', '__version__']

forget_foreign_databases()  # before anything imports rasterio


def __getattr__(name: str) -> Any:
    """Import the detector, and with it torch and the hosts, on first use (PEP 562)."""
    if name == 'LandslideDetector':
        from mmlandslide.scenes.detector import LandslideDetector

        return LandslideDetector
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
