"""From a catalogue of bands to a scene on one grid with the bands that a model asks for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
from rasterio.enums import Resampling

from mmlandslide.bands import BANDS, GROUPS
from mmlandslide.errors import BandError, ConfigError, SceneError
from mmlandslide.scenes.frame import GeoBox, require_upright
from mmlandslide.scenes.inputs.band_files import BandPlace, Catalogue
from mmlandslide.scenes.inputs.band_names import CIRRUS, canonical, is_reflectance, require_known
from mmlandslide.scenes.inputs.coverage import require_cover
from mmlandslide.scenes.inputs.formats.packages import archive_of
from mmlandslide.scenes.inputs.layers import BandLayer, CloudMask, cloud_kind
from mmlandslide.scenes.inputs.options import (
    LANDSLIDE4SENSE_UNITS,
    UNITS,
    InputOptions,
    dn_per_unit,
)
from mmlandslide.scenes.inputs.provenance import facts_of
from mmlandslide.scenes.inputs.raster_scene import RasterScene
from mmlandslide.scenes.inputs.rasters import RasterFile
from mmlandslide.scenes.inputs.terrain import TerrainLayer, terrain_layer
from mmlandslide.scenes.inputs.units import Units
from mmlandslide.scenes.inputs.value_checks import Inspection, require_gsd
from mmlandslide.scenes.scene import InputFile


def assemble(catalogue: Catalogue, bands: tuple[str, ...], options: InputOptions) -> RasterScene:
    """Return the scene that a catalogue and a user's options describe.

    What it raises is listed at `reader.open_scene`.

    Args:
        catalogue: which file holds which band.
        bands: names that the model asks for.
        options: of the user.
    """
    frame = RasterFile(catalogue.grid_path).own_frame
    require_upright(frame, catalogue.grid_path)
    if options.check_values and any(map(is_reflectance, bands)):
        require_gsd(frame, catalogue.grid_path)
    places = dict(catalogue.places)
    if options.dem is not None:
        if not set(bands) & set(GROUPS['terrain']):
            remedy = 'Leave --dem out: the model looks at neither'
            raise ConfigError.mismatch(
                'dem', 'serve a model of elevation or slope', list(bands), 'the options', remedy
            )
        places['DEM'] = BandPlace(Path(options.dem))
        places.pop('slope', None)
    available = [*places, *(['slope'] if 'DEM' in places else [])]
    fill = fill_values(options.fill, bands, available)
    held = tuple(band for band in bands if band not in fill)
    _require_bands(held, available, catalogue)
    layers: list[BandLayer | TerrainLayer] = [*_light(held, places, frame, options)]
    terrain = tuple(
        band for band in held if band == 'DEM' or (band == 'slope' and 'slope' not in places)
    )
    if terrain:
        layers.append(terrain_layer(terrain, places, frame, catalogue.grid_path, options))
    scene = RasterScene(
        catalogue.name,
        bands,
        frame,
        catalogue.acquired,
        (),
        tuple(layers),
        Units(()),
        fill,
        _clouds(frame, options),
    )
    units = _units(scene, catalogue, options)
    return replace(
        scene,
        inputs=_inputs(scene, catalogue),
        units=units,
        facts=facts_of(scene, units, catalogue),
    )


def fill_values(
    fill: Mapping[str, str | float], bands: Sequence[str], available: Sequence[str]
) -> dict[str, float]:
    """Return band -> constant in Landslide4Sense units, for the bands that a model asks for and a scene lacks.

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


def _require_bands(held: tuple[str, ...], available: list[str], catalogue: Catalogue) -> None:
    missing = [band for band in held if band not in available]
    if not missing:
        return
    fill = ' '.join(f'--fill {band}=mean' for band in missing)
    remedy = (
        f'Name their files with --band, fill them ({fill}, or =0.0), or use a model without them'
    )
    if CIRRUS in missing:
        remedy = f'Get the level-1C product (level 2A has no {CIRRUS}). {remedy}'
    if set(missing) & set(GROUPS['terrain']):
        remedy = f'Add elevation with --dem FILE. {remedy}'
    raise BandError.mismatch(
        'scene',
        f'have the bands {list(held)}',
        f'{sorted(available)} without {missing}',
        _where(catalogue),
        remedy,
    )


def _where(catalogue: Catalogue) -> Path:
    return catalogue.metadata[0] if catalogue.metadata else catalogue.grid_path


def _light(
    held: tuple[str, ...], places: Mapping[str, BandPlace], frame: GeoBox, options: InputOptions
) -> Iterator[BandLayer]:
    """Yield the layers of all bands that are read as they are.

    B10 and slope by themselves, for 0 is a value in them.
    """
    direct = [band for band in held if band != 'DEM' and band in places]

    def file_of(band: str) -> tuple[str, bool, bool]:
        return str(places[band].path), band in (CIRRUS, 'slope'), is_reflectance(band)

    for (name, zero_is_data, light), group in groupby(sorted(direct, key=file_of), key=file_of):
        bands = tuple(group)
        file = RasterFile(Path(name), frame, nodata=options.nodata, zero_is_data=zero_is_data)
        require_cover(frame, file.own_frame, file.path, f'file of {", ".join(bands)}')
        if light and not zero_is_data and options.nodata is None and file.dataset.nodata is None:
            file = replace(file, nodata=0.0)
        yield BandLayer(file, bands, tuple(places[band].index for band in bands))


def _clouds(frame: GeoBox, options: InputOptions) -> CloudMask | None:
    if options.cloud_mask is None:
        return None
    path = Path(options.cloud_mask)
    file = RasterFile(path, frame, Resampling.nearest)
    kind = cloud_kind(path.stem, options.cloud_kind)
    needed = 2 if kind == 'msk_classi' else 1
    if file.dataset.count < needed:
        raise SceneError.mismatch(
            f'cloud mask of kind {kind}',
            f'have {needed} bands',
            file.dataset.count,
            path,
            'Name its kind',
        )
    require_cover(frame, file.own_frame, path, 'cloud mask')
    return CloudMask(file, kind)


def _units(scene: RasterScene, catalogue: Catalogue, options: InputOptions) -> Units:
    """Return the units of a scene.

    Stated by the user or the product, or recognised from its values.
    """
    direct = [
        band for layer in scene.layers if isinstance(layer, BandLayer) for band in layer.bands
    ]
    stored = direct if options.scale == LANDSLIDE4SENSE_UNITS else []
    per_unit = dn_per_unit(options.scale)
    if per_unit is None and catalogue.of_product:
        per_unit = UNITS['reflectance'] / catalogue.quantification
    offsets = catalogue.offsets
    if options.dn_offset is not None:
        offsets = dict.fromkeys(scene.held, options.dn_offset)
    check = options.check_values and (not catalogue.of_product or options.dn_offset is not None)
    return Inspection(scene, catalogue.grid_path, _cirrus(scene, catalogue, options)).units(
        per_unit, offsets, stored, check
    )


def _cirrus(scene: RasterScene, catalogue: Catalogue, options: InputOptions) -> BandLayer | None:
    """Return B10 where there is one that the model does not ask for.

    It says most surely whether an offset is left.
    """
    place = catalogue.places.get(CIRRUS)
    if place is None or CIRRUS in scene.held:
        return None
    return BandLayer(
        RasterFile(place.path, scene.frame, nodata=options.nodata, zero_is_data=True),
        (CIRRUS,),
        (place.index,),
    )


def _inputs(scene: RasterScene, catalogue: Catalogue) -> tuple[InputFile, ...]:
    """Return the files that a scene reads, sources of virtual rasters among them."""
    files = [layer.file for layer in scene.layers]
    if scene.clouds is not None:
        files.append(scene.clouds.file)
    paths = {path for file in files for path in file.files} | set(catalogue.metadata)
    whole = {
        path if inside is None else inside[0] for path in paths for inside in [archive_of(path)]
    }
    return tuple(InputFile.of(path) for path in sorted(whole) if path.is_file())
