"""PROJ's database for the map projections: that of the installed wheels, never another install's.

QGIS, PostGIS and conda set `PROJ_DATA` or `PROJ_LIB` for their own programs. A database that is
older than the library that reads it makes every coordinate reference system unknown.
"""

import importlib.util
import os
import sqlite3
from contextlib import closing
from pathlib import Path

#: Variables that tell PROJ where its database lies, the one that wins first.
VARIABLES = ('PROJ_DATA', 'PROJ_LIB')
#: Variables that were removed, with what they led to.
forgotten: dict[str, str] = {}


def forget_foreign_databases() -> list[str]:
    """Take variables out of the environment that lead rasterio to a database it cannot read.

    Nothing is done where rasterio brings no database of its own, as in a conda environment.

    Returns:
        Names of the variables that were removed.
    """
    stated = [name for name in VARIABLES if name in os.environ]
    own = _own_database() if stated else None
    if own is None:
        return []
    needed = _layout(own)
    foreign = [name for name in stated if _layout_of(os.environ[name]) < needed]
    for name in foreign:
        forgotten[name] = os.environ.pop(name)
    return foreign


def _own_database() -> Path | None:
    """Return the database in rasterio's wheel; `None` where rasterio is missing or has none."""
    spec = importlib.util.find_spec('rasterio')
    folders = (spec.submodule_search_locations if spec else None) or ()
    found = (Path(folder) / 'proj_data' / 'proj.db' for folder in folders)
    return next((path for path in found if path.is_file()), None)


def _layout_of(search_path: str) -> tuple[int, ...]:
    """Return the layout of the first database on a search path; `()` where there is none."""
    folders = (Path(folder) for folder in search_path.split(os.pathsep) if folder)
    return next(
        (_layout(folder / 'proj.db') for folder in folders if (folder / 'proj.db').is_file()), ()
    )


def _layout(database: Path) -> tuple[int, ...]:
    """Return major and minor version of a database's layout; `()` where it cannot be read."""
    query = "SELECT value FROM metadata WHERE key = 'DATABASE.LAYOUT.VERSION.' || ?"
    uri = f'{database.absolute().as_uri()}?mode=ro&immutable=1'
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            found = [connection.execute(query, (part,)).fetchone() for part in ('MAJOR', 'MINOR')]
        return tuple(int(row[0]) for row in found)
    except (sqlite3.Error, TypeError, ValueError):
        return ()
