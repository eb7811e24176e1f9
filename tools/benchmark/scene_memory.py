"""Search a whole Sentinel-2 scene (10980 x 10980 px, 14 bands) without a model.

Peak memory, time a window. The scene is a simulated part, written once as GeoTIFF and repeated by a
VRT. What is found are connected groups of pixels, so the numbers are those of reading, cutting,
merging and writing alone.

Example: python tools/benchmark/scene_memory.py --side-px 10980
"""

import json
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import rasterio
from rasterio.transform import from_origin
from rich.console import Console

from mmlandslide.bands import LANDSLIDE4SENSE
from mmlandslide.datasets.simulation.synthetic import simulate
from mmlandslide.scenes.inference.components import ComponentPredictor
from mmlandslide.scenes.inference.job import InferenceJob, Settings
from mmlandslide.scenes.inputs.reader import open_scene
from mmlandslide.scenes.run import write

_SOURCE = '<SimpleSource><SourceFilename relativeToVRT="1">part.tif</SourceFilename><SourceBand>{band}</SourceBand><SrcRect \
xOff="0" yOff="0" xSize="{side}" ySize="{side}"/><DstRect xOff="{x}" yOff="{y}" xSize="{side}" ySize="{side}"/></SimpleSource>'


def write_scene(folder: Path, side_px: int, repeats: int) -> None:
    """Write `scene.vrt`: a simulated part, `repeats` x `repeats` times."""
    part_px = side_px // repeats
    values = np.tile(simulate(np.random.default_rng(1), (part_px // 3, part_px // 3))[0], (1, 3, 3))
    part_px, count = values.shape[1], len(LANDSLIDE4SENSE)
    options = {
        'driver': 'GTiff',
        'count': count,
        'height': part_px,
        'width': part_px,
        'dtype': 'uint16',
        'tiled': True,
    }
    transform = from_origin(300000, 5000040, 10, 10)
    with rasterio.open(
        folder / 'part.tif',
        'w',
        crs='EPSG:32633',
        transform=transform,
        interleave='band',
        **options,
    ) as target:
        target.write(values)
        crs = target.crs.to_wkt()
    places = [(x * part_px, y * part_px) for y in range(repeats) for x in range(repeats)]
    bands = []
    for band, name in enumerate(LANDSLIDE4SENSE, 1):
        sources = ''.join(_SOURCE.format(band=band, side=part_px, x=x, y=y) for x, y in places)
        bands.append(
            f'<VRTRasterBand dataType="UInt16" band="{band}"><Description>{name}</Description>{sources}</VRTRasterBand>'
        )
    side, geo = part_px * repeats, ', '.join(map(str, transform.to_gdal()))
    (folder / 'scene.vrt').write_text(
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><SRS>{crs}</SRS><GeoTransform>{geo}</GeoTransform>'
        f'{"".join(bands)}</VRTDataset>'
    )


@click.command(epilog='Example: python tools/benchmark/scene_memory.py --side-px 10980')
@click.option('--side-px', default=10980, show_default=True)
@click.option('--repeats', default=4, show_default=True, help='Of the part, in each direction.')
@click.option('--json', 'as_json', is_flag=True, help='Print CPU seconds and peak bytes as JSON.')
def main(side_px: int, repeats: int, as_json: bool) -> None:
    """Print peak memory of the searching process and time a window; exit with 1 at 2 GB or more."""
    with tempfile.TemporaryDirectory() as name:
        writer = multiprocessing.get_context('spawn').Process(
            target=write_scene, args=(Path(name), side_px, repeats)
        )
        writer.start()  # a process of its own, whose memory is not counted
        writer.join()
        scene, start = open_scene(Path(name, 'scene.vrt')), time.perf_counter()
        cpu_start = time.process_time()
        predictor = ComponentPredictor(scene.bands, 'B4', 2.0)
        model = {'name': 'components of B4 above 2'}
        job = InferenceJob(scene, predictor, Settings(score_thr=0.0), model)
        write(job, Path(name, 'out.gpkg'))
        seconds, windows = time.perf_counter() - start, len(job.grid)
        cpu_s = time.process_time() - cpu_start
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    if as_json:
        print(json.dumps({'cpu_s': cpu_s, 'peak_mib': peak_gb * 1e9 / 2**20}))  # noqa: T201
        return
    Console().print(
        f'{scene.height} x {scene.width} px x {len(scene.bands)} bands: peak {peak_gb:.2f} GB, '
        f'{windows} windows in {seconds:.0f} s, {1000 * seconds / windows:.1f} ms a window'
    )
    if peak_gb >= 2:
        raise SystemExit(1)


if __name__ == '__main__':
    main()
