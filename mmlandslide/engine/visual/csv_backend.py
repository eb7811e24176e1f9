"""A visual back end that writes scalars as a table."""

import csv
from pathlib import Path
from typing import Any

from mmengine.visualization.vis_backend import BaseVisBackend

from mmlandslide.registry import VISBACKENDS


@VISBACKENDS.register_module()
class CSVVisBackend(BaseVisBackend):
    """Appends every logged scalar to `scalars.csv`, a row a value: step, name, value.

    Args:
        save_dir: folder of the file; the visualizer names it.
        filename: in that folder.
    """

    def __init__(self, save_dir: str, filename: str = 'scalars.csv') -> None:
        super().__init__(save_dir)
        self.path = Path(save_dir) / filename

    @property
    def experiment(self) -> 'CSVVisBackend':
        """Return the back end itself; there is no other object behind it."""
        return self

    def _init_env(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def add_scalar(self, name: str, value: Any, step: int = 0, **_: Any) -> None:
        """Append one scalar."""
        self.add_scalars({name: value}, step)

    def add_scalars(
        self, scalar_dict: dict[str, Any], step: int = 0, file_path: str | None = None, **_: Any
    ) -> None:
        """Append scalars of one step.

        `step` among them takes precedence, as in mmengine's own back ends.

        Args:
            scalar_dict: name to number.
            step: of the training.
            file_path: not used: one file holds all.
        """
        scalars = dict(scalar_dict)
        step = int(scalars.pop('step', step))
        self._init_env()
        fresh = not self.path.exists()
        with self.path.open('a', newline='') as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(('step', 'name', 'value'))
            writer.writerows((step, name, float(value)) for name, value in scalars.items())
