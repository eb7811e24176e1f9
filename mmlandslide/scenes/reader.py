"""Opens a scene for a model: finds the bands that it asks for and refuses what cannot be right."""

from collections.abc import Sequence
from pathlib import Path

from mmlandslide import bands as band_table
from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.errors import MissingPathError
from mmlandslide.scenes.assembly import assemble
from mmlandslide.scenes.catalogue import catalogue_of
from mmlandslide.scenes.options import InputOptions
from mmlandslide.scenes.scene import Scene

_DEFAULTS = InputOptions()


def open_scene(source: str | Path | None, bands: str | Sequence[str] = LANDSLIDE4SENSE, options: InputOptions = _DEFAULTS) -> Scene:
    """Open one scene.

    Bands of 20 m and 60 m pixels, and files in other map projections, are warped to the grid of the scene as they are read
    (bilinear; elevation cubic, so that its slope has no steps; clouds by the nearest pixel). The grid is the multi-band file's
    own, or that of the finest band file: 10 m in Sentinel-2.

    Args:
        source: a GeoTIFF or VRT with many bands, a Sentinel-2 SAFE folder, or a folder of band files; `None` where
            `options.band_files` name them all.
        bands: names or groups that the model asks for; only those are read.
        options: what the files do not say themselves.

    Returns:
        The scene; a few windows of it were looked at, nothing is in memory.

    Raises:
        MissingPathError: no such file or folder.
        SceneError: a file that cannot be read, without place on the map, rotated, without any data, a band in two files, an
            elevation model that does not cover the scene, or values that contradict names or units.
        BandError: a band that the scene lacks, or an unknown name.
        ConfigError: an option that cannot be.
    """
    asked = band_table.names(bands)
    path = None if source is None else Path(source)
    if path is not None and not path.exists():
        raise MissingPathError.mismatch('scene', 'exist', 'nothing', path, 'Check the path')
    return assemble(catalogue_of(path, options, asked), asked, options)
