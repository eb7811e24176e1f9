import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import factories
import numpy as np
import planted_scene
import pytest
import tiny_detector

from mmlandslide.scenes.inference.run_key import digest
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene

ORDER = InputOptions(band_order=tiny_detector.BANDS, scale='landslide4sense', check_values=False)
CODE = """
import sys
from mmlandslide.scenes.inference.run_key import digest
from mmlandslide.scenes.inputs.options import InputOptions
from mmlandslide.scenes.inputs.reader import open_scene
order = InputOptions(band_order=('B4', 'slope', 'DEM'), scale='landslide4sense', check_values=False)
print(digest(open_scene(sys.argv[1], ('B4', 'slope', 'DEM'), order)))
"""


def test_an_open_scene_has_the_same_digest_in_every_process(tmp_path):
    path = factories.write_tiff(tmp_path / 'scene.tif', tiny_detector.image())
    command = [sys.executable, '-c', CODE, str(path)]
    found = {
        subprocess.run(
            command,
            env={**os.environ, 'PYTHONHASHSEED': seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in '12'
    }
    assert found == {digest(open_scene(path, tiny_detector.BANDS, ORDER))}


@pytest.mark.parametrize('changes', [{'scale': 2.0}, {'nodata': 7.0}])
def test_another_way_of_reading_has_another_digest(tmp_path, changes):
    path = factories.write_tiff(tmp_path / 'scene.tif', tiny_detector.image())
    one, other = (
        open_scene(path, tiny_detector.BANDS, options)
        for options in (ORDER, replace(ORDER, **changes))
    )
    assert digest(one) != digest(other)


def test_a_file_that_has_changed_has_another_digest(tmp_path):
    path = factories.write_tiff(tmp_path / 'scene.tif', tiny_detector.image())
    before = digest(open_scene(path, tiny_detector.BANDS, ORDER))
    os.utime(path, (1, 1))
    assert digest(open_scene(path, tiny_detector.BANDS, ORDER)) != before


def test_one_pixel_of_a_scene_in_memory_counts():
    one, other = planted_scene.scene(), planted_scene.scene()
    assert digest(one) == digest(other)
    other.values[0, 5, 5] = 1
    assert digest(one) != digest(other)


@dataclass
class Opened:
    path: Path
    handle: object = field(default=object, compare=False)


def test_what_is_not_compared_does_not_count():
    assert (
        digest(Opened(Path('a'), open))
        == digest(Opened(Path('a'), print))
        != digest(Opened(Path('b')))
    )


def test_plain_types_are_told_apart():
    values = [
        None,
        False,
        0,
        '0',
        [],
        {},
        [0],
        {'0': 0},
        np.zeros(1),
        np.zeros(1, np.float32),
        np.zeros((1, 1)),
    ]
    assert len({digest(value) for value in values}) == len(values)


def test_what_has_no_state_is_refused():
    with pytest.raises(TypeError, match='builtin_function_or_method has no state'):
        digest({'a': [print]})
