"""Compare the slope of scenes with GDAL's: `python tools/compare_gdaldem.py DEM.tif [--band N]`.

Needs gdal-bin.
"""

import subprocess
import tempfile
from pathlib import Path

import click
import numpy as np
import rasterio

from mmlandslide.scenes.inputs.rasters import RasterFile
from mmlandslide.scenes.inputs.terrain import TerrainLayer

#: Metres per degree at the equator, what gdaldem's manual gives for elevation in metres over
#: latitude and longitude.
_METRES_PER_DEGREE = '111120'


@click.command(help=__doc__)
@click.argument('dem', type=click.Path(exists=True, path_type=Path))
@click.option('--band', default=1, help='Of the file that holds the elevation in metres.')
def main(dem: Path, band: int) -> None:
    """Print the mean and the largest absolute difference in degrees, over all pixels and without those at the edges."""
    off = np.abs(_ours(dem, band) - _gdals(dem, band))
    for name, part in (('all pixels', off), ('inside', off[1:-1, 1:-1])):
        click.echo(f'{name}: mean {np.nanmean(part):.4f}, max {np.nanmax(part):.4f} degrees')


def _ours(path: Path, band: int) -> np.ndarray:
    file = RasterFile(path)
    frame = file.own_frame
    return TerrainLayer(file, ('slope',), band, frame).read((0, 0, frame.height, frame.width))[0]


def _gdals(path: Path, band: int) -> np.ndarray:
    with rasterio.open(path) as source, tempfile.TemporaryDirectory() as folder:
        scale = ['-s', _METRES_PER_DEGREE] if source.crs.is_geographic else []
        out = Path(folder) / 'slope.tif'
        subprocess.run(
            ['gdaldem', 'slope', '-q', '-compute_edges', '-b', str(band), *scale, path, out],
            check=True,
        )
        with rasterio.open(out) as slope:
            return slope.read(1, masked=True).filled(np.nan)


if __name__ == '__main__':
    main()
