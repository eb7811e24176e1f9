"""What was decided about the input of a scene, for the record of a run.

Units, fills, values without data, clouds, level.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmlandslide.scenes.inputs.band_files import BandFiles
from mmlandslide.scenes.inputs.formats.product_names import level_in
from mmlandslide.scenes.inputs.raster_scene import RasterScene
from mmlandslide.scenes.inputs.units import Units


def units_facts(bands: tuple[str, ...], units: Units) -> dict[str, dict[str, float]]:
    """Return band -> `gain` and `offset` that lead from what files store to Landslide4Sense units.

    Those of elevation lead from metres.
    """
    pairs = zip(bands, units.gain.tolist(), units.offset.tolist(), strict=True)
    return {band: {'gain': gain, 'offset': offset} for band, gain, offset in pairs}


def nodata_fact(value: float | None) -> float | str | None:
    """Return a value that means no data in a type that JSON has."""
    return 'nan' if value is not None and np.isnan(value) else value


def facts_of(scene: RasterScene, units: Units, files: BandFiles) -> Mapping[str, Any]:
    """Return what was decided about the files of a scene.

    Args:
        scene: assembled.
        units: of its held bands.
        files: that it was assembled from.
    """
    clouds = scene.clouds
    metadata = files.metadata[0].name if files.metadata else ''
    return {
        'units': units_facts(scene.held, units),
        'fill': dict(scene.fill),
        'nodata': {
            band: nodata_fact(layer.file.used_nodata)
            for layer in scene.layers
            for band in layer.bands
        },
        'mask': None
        if clouds is None
        else {
            'path': str(clouds.file.path.absolute()),
            'kind': clouds.kind,
        },
        'product_level': level_in(f'_{metadata}') or level_in(f'_{files.name}'),
    }
