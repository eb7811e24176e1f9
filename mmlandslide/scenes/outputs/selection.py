"""Which detections of a scene are kept: those in an area of interest, and of some sizes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely

from mmlandslide.errors import ConfigError, MissingPathError, SceneError
from mmlandslide.scenes.vector_files import read_polygons


@dataclass(frozen=True)
class Selection:
    """What a user asks for of the detections.

    Attributes:
        aoi: file of polygons in any reference system; a detection is kept whose centre lies in one.
        min_area_m2: smallest area of a box.
        max_area_m2: largest area of a box.

    Raises:
        ConfigError: the smallest area is above the largest.
        MissingPathError: there is no file of polygons.
    """

    aoi: Path | None = None
    min_area_m2: float | None = None
    max_area_m2: float | None = None

    def __post_init__(self) -> None:
        """Refuse what can have no meaning."""
        low, high = self.min_area_m2, self.max_area_m2
        if low is not None and high is not None and low > high:
            raise ConfigError.mismatch(
                '--min-area', f'be at most --max-area, {high:g}', f'{low:g}', 'the options', 'Swap'
            )
        if self.aoi is not None and not self.aoi.is_file():
            raise MissingPathError.mismatch(
                'area of interest', 'be a file', 'nothing', self.aoi, 'Check the path'
            )

    def as_dict(self) -> dict[str, Any]:
        """Return what is asked for, for keys and the run record; empty where nothing is."""
        found = {
            'aoi': None if self.aoi is None else str(self.aoi),
            'min_area_m2': self.min_area_m2,
            'max_area_m2': self.max_area_m2,
        }
        return {name: value for name, value in found.items() if value is not None}

    def apply(self, layer: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        """Return the detections that are kept, numbered anew.

        Args:
            layer: see `vector.to_geodataframe`.

        Raises:
            SceneError: the file holds no polygons, or scene or polygons have no place on the map.
        """
        kept = layer
        if self.min_area_m2 is not None:
            kept = kept[kept['area_m2'] >= self.min_area_m2]
        if self.max_area_m2 is not None:
            kept = kept[kept['area_m2'] <= self.max_area_m2]
        if self.aoi is not None:
            area = _area(self.aoi, layer)
            centres = shapely.centroid(kept.geometry.to_numpy())
            kept = kept[shapely.intersects(area, centres)]
        kept = kept.reset_index(drop=True)
        return kept.assign(id=range(1, len(kept) + 1))


def _area(path: Path, layer: gpd.GeoDataFrame) -> Any:
    """Return the polygons of a file as one geometry in the reference system of a layer."""
    if layer.crs is None:
        raise SceneError.mismatch(
            'scene', 'lie on the map', 'no reference system', 'its file', 'Leave --aoi out'
        )
    return read_polygons(path).to_crs(layer.crs).make_valid().union_all()
