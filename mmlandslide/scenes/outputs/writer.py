"""Writer of a run's output files: all of them whole, or none.

A kill while they get their names leaves no layer.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import geopandas as gpd

from mmlandslide import files
from mmlandslide.errors import ConfigError, LandslideError, SceneError, StorageError
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.outputs import (
    commit,
    expectation,
    qgis_style,
    quicklook,
    stac,
    vector,
    webmap,
)
from mmlandslide.scenes.outputs.overview import Overview, overview_of
from mmlandslide.scenes.scene import InputFile, Scene


@dataclass(frozen=True)
class Result:
    """Detections of a run, with their scene and record.

    Attributes:
        layer: the detections, see `vector.to_geodataframe`.
        scene: that was searched.
        record: of the run, of types that JSON has.
        everything: the detections of every probability, where expected numbers are asked for.
        models: `blocks` of the detector's calibration, for them.
    """

    layer: gpd.GeoDataFrame
    scene: Scene
    record: Mapping[str, Any]
    everything: Detections | None = None
    models: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def overview(self) -> Overview:
        """The picture of the scene, which several files show."""
        return overview_of(self.scene)


#: Writes one file of a result; takes the result and the path.
Writer = Callable[[Result, Path], None]


def _write_layer(result: Result, path: Path) -> None:
    vector.write(result.layer, path)


def _write_part(result: Result, path: Path) -> None:
    """Do nothing: it is a part of the layer that was written before."""


def _write_style(result: Result, path: Path, suffix: str = '.gpkg') -> None:
    score = vector.field_name(vector.score_name(result.layer), suffix)
    files.write_atomic(path, qgis_style.qml(score))


def _write_quicklook(result: Result, path: Path) -> None:
    quicklook.write(result.overview, result.layer, result.scene.frame, path)


def _write_report(result: Result, path: Path) -> None:
    webmap.write(result.overview, result.layer, result.scene, result.record, path)


def _write_item(result: Result, path: Path) -> None:
    files.write_json(
        path, stac.item(result.scene, result.record, path).to_dict(include_self_link=False)
    )


def _write_expected(result: Result, path: Path) -> None:
    assert result.everything is not None, 'asked for with the detections of every probability'
    known = result.overview.known
    squares = expectation.expected_squares(result.everything, result.scene, known, result.models)
    expectation.write(squares, path)


def _write_record(result: Result, path: Path) -> None:
    files.write_json(path, result.record)


#: Suffix -> what writes it, for plain tiles and for scenes on the map.
WITHOUT_MAP: dict[str, Writer] = {
    '.gpkg': _write_layer,
    '.qml': _write_style,
    '.png': _write_quicklook,
    '.run.json': _write_record,
}
ON_THE_MAP: dict[str, Writer] = {**WITHOUT_MAP, '.geojson': _write_layer, stac.SUFFIX: _write_item}


def writers_for(
    scene: Scene, report: bool = False, expected: bool = False, suffix: str = '.gpkg'
) -> dict[str, Writer]:
    """Return what writes the files of a scene, in this order.

    The STAC item, last, names those that are there.

    Args:
        scene: without a place on the map there is neither GeoJSON nor STAC item.
        report: whether to write a page with a map.
        expected: whether to write expected numbers per km^2.
        suffix: of the layer. Beside a Shapefile stands no GeoJSON: its style has the Shapefile's
            short names.

    Raises:
        ConfigError: the layer has none of the suffixes that work, or needs what is not installed.
    """
    placed = scene.crs is not None
    allowed = [each for each in vector.PARTS if placed or each != vector.GEOJSON]
    if suffix not in allowed:
        where = '--out' if placed else '--out of a scene without a place on the map'
        raise ConfigError.mismatch(
            'output', f'end in one of {allowed}', repr(suffix), where, 'Name it so'
        )
    if suffix == vector.PARQUET:
        vector.require_parquet()
    parts = [each for each in vector.PARTS[suffix] if placed or each != '.prj']
    chosen = dict(ON_THE_MAP if placed else WITHOUT_MAP)
    if suffix != '.gpkg':
        chosen.pop('.gpkg')
        chosen |= {'.qml': partial(_write_style, suffix=suffix)}
    if suffix == vector.SHAPEFILE:
        chosen.pop(vector.GEOJSON, None)
    more: dict[str, Writer] = {'.html': _write_report} if report else {}
    layers: dict[str, Writer] = {suffix: _write_layer, **dict.fromkeys(parts, _write_part)}
    if expected:
        end = expectation.STEM_END
        more |= {f'{end}{suffix}': _write_expected}
        more |= {f'{end}{each}': _write_part for each in parts}
    return {**more, **({} if suffix == '.gpkg' else layers), **chosen}


def require_free(
    out: Path, suffixes: Mapping[str, Writer], overwrite: bool, inputs: Sequence[InputFile] = ()
) -> None:
    """Refuse an output that is there already, or that would replace what it is made from.

    Args:
        out: path of the layer; the other files stand beside it under the same name.
        suffixes: of all files.
        overwrite: whether they may be replaced.
        inputs: that the scene is read from; they never are.

    Raises:
        ConfigError: one of the files is there and must stay, or is read.
        StorageError: a folder bears the name of a file.
    """
    read = {Path(each.path).resolve() for each in inputs}
    lost = [path.name for path in map(out.with_suffix, suffixes) if path.resolve() in read]
    if lost:
        raise ConfigError.mismatch(
            'output', 'replace none of the files that are read', lost, out.parent, 'Name another'
        )
    there = [path.name for path in map(out.with_suffix, suffixes) if path.exists()]
    if there and not overwrite:
        raise ConfigError.mismatch(
            'output',
            'not be there yet',
            there,
            out.parent,
            'Name another, or replace it with --overwrite',
        )
    folders = [path.name for path in map(out.with_suffix, suffixes) if path.is_dir()]
    if folders:
        raise StorageError.mismatch(
            'output', 'be a file', f'folders {folders}', out.parent, 'Name another'
        )


def complete(out: Path, suffixes: Mapping[str, Writer]) -> bool:
    """Return whether all files of an output are there."""
    return all(out.with_suffix(suffix).is_file() for suffix in suffixes)


def write(
    result: Result,
    out: Path,
    writers: Mapping[str, Writer],
    placed: AbstractContextManager[None] = nullcontext(),  # noqa: B008 (has no state)
) -> list[Path]:
    """Write all files of a result.

    They get their names when all of them are whole, the layer last.

    Args:
        result: of the run.
        out: path of the layer.
        writers: suffix -> what writes that file.
        placed: entered while they get their names.

    Returns:
        The paths.

    Raises:
        StorageError: the disk is full, or nobody may write there; older files are then as they
            were.
        SceneError: GDAL cannot say where on earth the scene lies.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f'.{out.name}.', suffix='.tmp', dir=out.parent
        ) as folder:
            # Everything is written before the first name is given, so no error of a writer leaves a
            # part.
            made = {
                out.with_suffix(suffix): Path(folder, f'{out.stem}{suffix}') for suffix in writers
            }
            for writer, path in zip(writers.values(), made.values(), strict=True):
                _write_one(writer, result, path)
            with placed:
                commit.commit_files(made, out, Path(folder))
    except OSError as error:
        if isinstance(error, LandslideError):
            raise
        raise commit.not_whole(out, error) from error
    return list(made)


def _write_one(writer: Writer, result: Result, path: Path) -> None:
    try:
        writer(result, path)
    except Exception as error:  # GDAL's errors come as classes of a private module of rasterio
        if isinstance(error, LandslideError) or not type(error).__module__.startswith('rasterio'):
            raise
        expected, remedy = (
            f'be one that GDAL can place for {path.name}',
            'Warp it to another with `gdalwarp -t_srs EPSG:...`',
        )
        raise SceneError.mismatch(
            'map of the scene', expected, repr(str(error)), result.scene.name, remedy
        ) from error
