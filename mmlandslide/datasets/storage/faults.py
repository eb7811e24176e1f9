"""What can be wrong with a data set.

One table of named faults, each with what it means and what to do about it.
"""

from dataclasses import dataclass
from pathlib import Path

from mmlandslide.errors import TileError

ERROR, WARNING = 'error', 'warning'


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        code: its stable name, in tables and in JSON.
        severity: `error` (exit code 1; the tile can be quarantined) or `warning` (listed, packed
            all the same).
        meaning: what is wrong, without a subject.
        remedy: what the user does about it.
    """

    code: str
    severity: str
    meaning: str
    remedy: str


_AGAIN = 'Download the file again'
FAULTS: dict[str, Fault] = {
    fault.code: fault
    for fault in (
        Fault(
            'truncated', ERROR, 'cut off, or no HDF5 that keeps its values in its own file', _AGAIN
        ),
        Fault(
            'reader-died',
            ERROR,
            'its reader crashed, hung or ran out of memory',
            f'{_AGAIN}; do not open it elsewhere',
        ),
        Fault(
            'wrong-key',
            ERROR,
            "no dataset 'img' (tile) or 'mask' (mask)",
            'Rename the dataset, or download the file again',
        ),
        Fault(
            'wrong-shape', ERROR, 'not (height, width, 14), or not the size of most tiles', _AGAIN
        ),
        Fault('wrong-dtype', ERROR, 'neither float32 nor float64', 'Convert it from its source'),
        Fault('nan', ERROR, 'NaN', _AGAIN),
        Fault('inf', ERROR, 'infinite values', _AGAIN),
        Fault(
            'constant-tile', ERROR, 'one value throughout each band: no data', 'Take the tile out'
        ),
        Fault(
            'all-zero-band',
            WARNING,
            'a band that is 0 throughout',
            'Train without that band if many tiles lack it',
        ),
        Fault(
            'out-of-units',
            ERROR,
            'values that the unit of their band cannot have',
            'Divide raw values by the band divisors',
        ),
        Fault(
            'mask-values',
            ERROR,
            'a mask with values other than 0 and 1',
            'Write landslide as 1 and all else as 0',
        ),
        Fault(
            'mask-size',
            ERROR,
            'a mask of another size than its image',
            'Download image and mask again',
        ),
        Fault(
            'image-without-mask',
            ERROR,
            'no mask, in a split whose other tiles have one',
            'Add the mask',
        ),
        Fault('mask-without-image', ERROR, 'no image', 'Add the image'),
        Fault(
            'duplicate-across-splits',
            WARNING,
            'the bands of a tile of another split',
            'Delete one: a test on it is no test',
        ),
        Fault(
            'wrong-band-order',
            ERROR,
            'bands that look like others',
            'Write them in order B1 ... DEM',
        ),
        Fault(
            'ignored-file',
            WARNING,
            'files beside the tiles that nothing reads',
            'Rename them as the others are, or take them out',
        ),
        Fault('broken-image', ERROR, 'an image that cannot be read', _AGAIN),
        Fault(
            'broken-label',
            ERROR,
            'a label that cannot be read',
            'Correct the file, or take it and its image out of the folder',
        ),
        Fault(
            'wrong-box',
            ERROR,
            'a box that is empty or leaves its image by half a pixel or more',
            'Correct the file, or take it and its image out of the folder',
        ),
        Fault(
            'whole-image-box',
            WARNING,
            'most images lie within one box as a whole',
            'Look at them: are masks inverted (landslide must be 1), or frames drawn as objects?',
        ),
        Fault(
            'image-size',
            ERROR,
            'an image of another size than its label states',
            'Give the image that was labelled',
        ),
        Fault(
            'unknown-class',
            ERROR,
            'an object whose name is none of the classes',
            'Name it in metainfo.classes (`--classes` of prepare), or take the object out',
        ),
        Fault(
            'image-without-label',
            ERROR,
            'an image without a label file',
            'Add a label file, an empty one where it holds no landslide',
        ),
        Fault(
            'label-without-image',
            ERROR,
            'a label file without its image',
            'Add the image, or take the label out',
        ),
        Fault(
            'name-without-id',
            ERROR,
            'a file whose name gives no id, or the id of another file',
            'Rename the file, or give the pattern of the names (`--pattern` of prepare)',
        ),
        Fault(
            'leads-out',
            ERROR,
            'a link out of the data root, or a name that cannot be printed',
            'Copy the file into the data root, or rename it',
        ),
        Fault(
            'published-statistics',
            ERROR,
            'normalised with the published mean and std, which no real tile can have',
            'Use stored values as published, and the statistics of the band table (the default)',
        ),
    )
}


@dataclass(frozen=True)
class Finding:
    """One fault of one file.

    Attributes:
        fault: a code of `FAULTS`.
        tile_id: of the tile, such as `train/12`; `config` for a config file.
        path: of the file.
        message: one line, names the file and what to do.
    """

    fault: str
    tile_id: str
    path: str
    message: str

    @property
    def split(self) -> str:
        """Return the tile's split."""
        return self.tile_id.split('/')[0]

    @property
    def is_error(self) -> bool:
        """Return whether the tile must not be trained on."""
        return FAULTS[self.fault].severity == ERROR


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file, before it is known whose file it is.

    Attributes:
        code: of `FAULTS`.
        subject: what is wrong, such as `dataset 'img'`.
        expected: what it must be, without the word `must`.
        actual: what it is.
    """

    code: str
    subject: str
    expected: str
    actual: object

    def finding(self, tile_id: str, path: Path) -> Finding:
        """Return the finding that this is in a file of a tile."""
        remedy = FAULTS[self.code].remedy
        error = TileError.mismatch(self.subject, self.expected, self.actual, path, remedy)
        return Finding(self.code, tile_id, str(path), str(error))
