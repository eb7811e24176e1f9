"""From the files of bands to a scene on one grid with the bands that a model asks for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from mmlandslide.bands import BANDS, GROUPS
from mmlandslide.errors import BandError, ConfigError
from mmlandslide.scenes.frame import GeoBox, require_upright
from mmlandslide.scenes.inputs.band_files import BandFiles, BandSource
from mmlandslide.scenes.inputs.checks.coverage import require_cover
from mmlandslide.scenes.inputs.checks.pixel_size import require_gsd
from mmlandslide.scenes.inputs.checks.value_checks import Inspection
from mmlandslide.scenes.inputs.formats.band_names import (
    CIRRUS,
    canonical,
    is_reflectance,
    require_known,
)
from mmlandslide.scenes.inputs.formats.packages import archive_of, local_path
from mmlandslide.scenes.inputs.masks import open_mask
from mmlandslide.scenes.inputs.options import (
    LANDSLIDE4SENSE_UNITS,
    UNITS,
    InputOptions,
    dn_per_unit,
)
from mmlandslide.scenes.inputs.provenance import facts_of
from mmlandslide.scenes.inputs.raster_scene import BandLayer, RasterScene
from mmlandslide.scenes.inputs.rasters import RasterFile
from mmlandslide.scenes.inputs.terrain import TerrainLayer, terrain_layer
from mmlandslide.scenes.inputs.units import Units
from mmlandslide.scenes.scene import InputFile


def assemble(files: BandFiles, bands: tuple[str, ...], options: InputOptions) -> RasterScene:
    """Return the scene that files and a user's options describe.

    What it raises is listed at `reader.open_scene`.

    Args:
        files: which file holds which band.
        bands: names that the model asks for.
        options: of the user.
    """
    frame = RasterFile(files.grid_path).own_frame
    require_upright(frame, files.grid_path)
    if options.check_values:
        require_gsd(frame, files.grid_path, of_scale=any(map(is_reflectance, bands)))
    sources = _with_dem(files.sources, bands, options)
    available = [*sources, *(['slope'] if 'DEM' in sources else [])]
    fill = fill_values(options.fill, bands, available)
    held = tuple(band for band in bands if band not in fill)
    _require_bands(held, available, files)
    layers: list[BandLayer | TerrainLayer] = [*_direct(held, sources, frame, options)]
    terrain = tuple(
        band for band in held if band == 'DEM' or (band == 'slope' and 'slope' not in sources)
    )
    if terrain:
        layers.append(terrain_layer(terrain, sources, frame, files.grid_path, options))
    scene = RasterScene(
        files.name,
        bands,
        frame,
        options.acquired or files.acquired,
        (),
        tuple(layers),
        Units(()),
        fill,
        open_mask(frame, options, files.classification),
        black_is_data=options.nodata is not None and sum(map(is_reflectance, held)) < 2,
    )
    units = _units(scene, files, options)
    return replace(
        scene, inputs=_inputs(scene, files), units=units, facts=facts_of(scene, units, files)
    )


def _with_dem(
    sources: Mapping[str, BandSource], bands: tuple[str, ...], options: InputOptions
) -> dict[str, BandSource]:
    """Return the sources of bands with the elevation that the user names, which wins.

    Raises:
        ConfigError: the model looks at no elevation.
    """
    found = dict(sources)
    if options.dem is None:
        return found
    if not set(bands) & set(GROUPS['terrain']):
        remedy = 'Leave --dem out: the model looks at neither'
        raise ConfigError.mismatch(
            'dem', 'serve a model of elevation or slope', list(bands), 'the options', remedy
        )
    if not options.dem_paths:
        raise ConfigError.mismatch(
            'dem', 'name at least one file', 'none', 'the options', 'Name one, or leave it out'
        )
    found['DEM'] = BandSource(local_path(options.dem_paths[0]))
    found.pop('slope', None)
    return found


def fill_values(
    fill: Mapping[str, str | float], bands: Sequence[str], available: Sequence[str]
) -> dict[str, float]:
    """Return band -> constant in Landslide4Sense units, for bands that a scene lacks.

    Raises:
        ConfigError: a value that is neither a number nor `mean` (of a band in the table).
        BandError: an unknown band.
    """
    require_known([canonical(name) for name in fill], bands, '--fill')
    found = {}
    for name, value in fill.items():
        band = BANDS.get(canonical(name))
        mean = None if band is None else band.mean
        try:
            number = float(mean if value == 'mean' and mean is not None else value)
        except ValueError:
            number = np.nan
        if not np.isfinite(number):
            raise ConfigError.mismatch(
                f'fill of {name}', "be a number or 'mean'", repr(value), 'the options', 'Correct it'
            )
        found[canonical(name)] = number
    return {band: value for band, value in found.items() if band in bands and band not in available}


def _require_bands(held: tuple[str, ...], available: list[str], files: BandFiles) -> None:
    missing = [band for band in held if band not in available]
    if not missing:
        return
    fill = ' '.join(f'--fill {band}=mean' for band in missing)
    remedy = (
        f'Name their files with --band, fill them ({fill}, or =0.0), or use a model without them'
    )
    if files.unknown:
        remedy = (
            f'The file holds {list(files.unknown)} too, which are not known: name all bands with '
            f'--band-order. Else: {remedy[0].lower()}{remedy[1:]}'
        )
    if CIRRUS in missing:
        remedy = f'Get the level-1C product (level 2A has no {CIRRUS}). {remedy}'
    if set(missing) & set(GROUPS['terrain']):
        remedy = f'Add elevation with --dem FILE. {remedy}'
    raise BandError.mismatch(
        'scene',
        f'have the bands {list(held)}',
        f'{sorted(available)} without {missing}',
        files.metadata[0] if files.metadata else files.grid_path,
        remedy,
    )


def _direct(
    held: tuple[str, ...], sources: Mapping[str, BandSource], frame: GeoBox, options: InputOptions
) -> Iterator[BandLayer]:
    """Yield the layers of all bands that are read as they are.

    B10 and slope by themselves, for 0 is a value in them.
    """
    direct = [band for band in held if band != 'DEM' and band in sources]

    def file_of(band: str) -> tuple[str, bool, bool]:
        return str(sources[band].path), band in (CIRRUS, 'slope'), is_reflectance(band)

    for (name, zero_is_data, optical), group in groupby(sorted(direct, key=file_of), key=file_of):
        bands = tuple(group)
        file = RasterFile(Path(name), frame, nodata=options.nodata, zero_is_data=zero_is_data)
        require_cover(frame, file.own_frame, file.path, f'file of {", ".join(bands)}')
        if optical and not zero_is_data and options.nodata is None and file.used_nodata is None:
            file = replace(file, nodata=0.0)
        yield BandLayer(file, bands, tuple(sources[band].index for band in bands))


def _units(scene: RasterScene, files: BandFiles, options: InputOptions) -> Units:
    """Return the units of a scene.

    Stated by the user, the product or the files themselves, or recognised from values.
    """
    direct = [
        band for layer in scene.layers if isinstance(layer, BandLayer) for band in layer.bands
    ]
    stored = direct if options.scale == LANDSLIDE4SENSE_UNITS else []
    per_unit = dn_per_unit(options.scale)
    scaled, moved = _stated_by_files(scene)
    if per_unit is None and files.of_product and not scaled:
        per_unit = UNITS['reflectance'] / files.quantification
    offsets = {} if moved else files.offsets  # one offset, said twice
    if options.dn_offset is not None:
        if moved and options.dn_offset:
            remedy = (
                'Leave --dn-offset out, or take the other away with `gdal_edit.py -unsetoffset`'
            )
            raise ConfigError.mismatch(
                'dn_offset', 'be stated once', 'an offset in the file too', files.grid_path, remedy
            )
        offsets = dict.fromkeys(scene.held, options.dn_offset)
    trusted = files.of_product and options.dn_offset is None and options.scale is None
    inspection = Inspection(scene, files.grid_path, _cirrus(scene, files, options))
    return inspection.units(per_unit, offsets, stored, options.check_values, trusted)


def _stated_by_files(scene: RasterScene) -> tuple[bool, bool]:
    """Return whether the files of optical bands state a scale, and an offset, of their values."""
    stated = [
        layer.file.scales(layer.indexes)
        for layer in scene.layers
        if isinstance(layer, BandLayer) and any(map(is_reflectance, layer.bands))
    ]
    scaled = any((scales != 1).any() for scales, _ in stated)
    return scaled, any(offsets.any() for _, offsets in stated)


def _cirrus(scene: RasterScene, files: BandFiles, options: InputOptions) -> BandLayer | None:
    """Return B10 where there is one that the model does not ask for.

    It says most surely whether an offset is left.
    """
    source = files.sources.get(CIRRUS)
    if source is None or CIRRUS in scene.held:
        return None
    file = RasterFile(source.path, scene.frame, nodata=options.nodata, zero_is_data=True)
    return BandLayer(file, (CIRRUS,), (source.index,))


def _inputs(scene: RasterScene, files: BandFiles) -> tuple[InputFile, ...]:
    """Return the files that a scene reads, sources of virtual rasters among them."""
    read = [layer.file for layer in scene.layers]
    if scene.clouds is not None:
        read.append(scene.clouds.file)
    paths = {path for file in read for path in file.files} | set(files.metadata)
    archives = {path: archive_of(path) for path in paths}
    whole = {path if inside is None else inside[0] for path, inside in archives.items()}
    return tuple(InputFile.of(path) for path in sorted(whole) if path.is_file())
