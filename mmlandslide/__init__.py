"""mmlandslide: find landslides in multispectral satellite tiles."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmlandslide.scenes.detector import LandslideDetector

__version__ = '0.1.0'
__all__ = ['LandslideDetector', '__version__']


def __getattr__(name: str) -> Any:
    """Import the detector, and with it torch and the hosts, when it is first asked for (PEP 562)."""
    if name == 'LandslideDetector':
        from mmlandslide.scenes.detector import LandslideDetector

        return LandslideDetector
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
