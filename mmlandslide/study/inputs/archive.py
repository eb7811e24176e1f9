"""What finished trials left, without weights: a study goes on from it on another machine."""

import json
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

from mmlandslide.errors import LandslideError
from mmlandslide.files import DAMAGED_ZIP, write_atomic
from mmlandslide.study.inputs.state_file import Record, records_of
from mmlandslide.study.plan import Plan
from mmlandslide.study.trial import Stage, Trial

_RECORDS, _DETAILS = 'records.json', 'evaluation.json'
#: Log of one start of a training, in a folder named by its time.
_LOG = re.compile(r'\w+/vis_data/scalars\.json')
#: Bytes of all files together; more is no test of tiles.
_MOST_BYTES = 2**28
_DAMAGED = (*DAMAGED_ZIP, KeyError)


def keep(trial: Trial, records: Mapping[str, Record], folder: Path) -> Path:
    """Write what a finished trial left to a file of its own, unless it is there.

    Args:
        trial: whose test is finished.
        records: stage name -> what became of it.
        folder: of the archive, made where it is missing.

    Returns:
        The file: the test's scores and predictions, the logs and the records of all stages. Equal
        content gives equal bytes.

    Raises:
        OSError: the folder cannot be written to or the disk is full.
    """
    path = _path(trial, folder)
    if path.is_file():
        return path
    content = {
        f'{place}/{file.relative_to(stage.work_dir).as_posix()}': file.read_bytes()
        for place, stage in enumerate(trial.stages)
        for file in _files(stage)
    }
    told = {stage.name: asdict(records.get(stage.name, Record())) for stage in trial.stages}
    content[_RECORDS] = json.dumps(told, indent=2).encode()
    packed = BytesIO()
    with zipfile.ZipFile(packed, 'w', zipfile.ZIP_LZMA) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_LZMA)
    return write_atomic(path, packed.getvalue())


def restore(plan: Plan, folder: Path) -> dict[str, Record]:
    """Write what the archive holds of trials that are not finished here to their work dirs.

    Args:
        plan: of the study; trials that it does not plan are left where they are.
        folder: of the archive; need not exist.

    Returns:
        Stage name -> what became of it where it ran.

    Raises:
        LandslideError: a file of the archive is damaged, or is none.
        OSError: the work dirs cannot be written to or the disk is full.
    """
    records: dict[str, Record] = {}
    for trial in plan.trials:
        path = _path(trial, folder)
        if path.is_file() and not trial.test.finished:
            records |= _unpack(trial, path)
    return records


def _unpack(trial: Trial, path: Path) -> dict[str, Record]:
    try:
        with zipfile.ZipFile(path) as archive:
            content = _read(archive, [name for name in archive.namelist() if _asked(trial, name)])
            records = records_of(json.loads(content[_RECORDS]), path)
        missing = [leaf for leaf in trial.test.leaves if _name(trial, leaf) not in content]
    except _DAMAGED as error:
        raise _refused(path, f'{type(error).__name__} {str(error)!r}') from error
    if missing:
        raise _refused(path, f'no {missing[0]}')
    del content[_RECORDS]
    for name in sorted(content, key=lambda name: name.endswith(trial.test.leaves)):
        place, _, inner = name.partition('/')
        write_atomic(trial.stages[int(place)].work_dir / inner, content[name])
    return {name: record for name, record in records.items() if name in _names(trial)}


def _asked(trial: Trial, name: str) -> bool:
    """Return whether a name of a stranger's archive is one that `keep` writes of a trial."""
    place, _, inner = name.partition('/')
    stages = {str(number): stage for number, stage in enumerate(trial.stages)}
    return name == _RECORDS or (place in stages and _is_kept(stages[place], Path(inner)))


def _read(archive: zipfile.ZipFile, names: Iterable[str]) -> dict[str, bytes]:
    """Return files, of at most so many bytes as they can have, whatever their headers say."""
    found: dict[str, bytes] = {}
    left = _MOST_BYTES
    for name in names:
        with archive.open(name) as file:
            found[name] = file.read(left + 1)
        left -= len(found[name])
        if left < 0:
            raise ValueError(f'more than {_MOST_BYTES} bytes')
    return found


def _files(stage: Stage) -> Iterator[Path]:
    for file in sorted(stage.work_dir.glob('**/*.json')):
        if _is_kept(stage, file.relative_to(stage.work_dir)):
            yield file


def _is_kept(stage: Stage, inner: Path) -> bool:
    """Return whether a file of a stage belongs to an archive: scores of a test, logs of a training.

    Names of a stranger's archive lead nowhere else.
    """
    if stage.kind == 'test':
        return str(inner) in (*stage.leaves, _DETAILS)
    return _LOG.fullmatch(inner.as_posix()) is not None


def _name(trial: Trial, leaf: str) -> str:
    return f'{len(trial.stages) - 1}/{leaf}'


def _names(trial: Trial) -> set[str]:
    return {stage.name for stage in trial.stages}


def _path(trial: Trial, folder: Path) -> Path:
    return folder / f'{trial.test.name.replace("/", "_")}.zip'


def _refused(path: Path, got: str) -> LandslideError:
    expected = 'hold what the tests of a trial left'
    return LandslideError.mismatch('archive', expected, got, path, 'Delete it: the trial runs anew')
