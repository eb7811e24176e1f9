import shutil
import zipfile
from pathlib import Path

import pytest
from study.test_execute import STUB

from mmlandslide.errors import LandslideError
from mmlandslide.study.execute import Execution
from mmlandslide.study.inputs import archive as archive_module
from mmlandslide.study.plan import plan
from mmlandslide.study.report.report import page
from mmlandslide.study.results import collect
from mmlandslide.study.specification import read

KEPT, ROOT = Path('kept'), Path('work_dirs/studies/study')


def run(archive=KEPT, budget_s=None):
    execution = Execution(plan(read('study.yaml')), budget_s, mim=STUB, archive=archive)
    return execution.run(), execution


@pytest.fixture
def kept(place):
    """A study that has run, of which the archive alone is left; returns its results."""
    results = run()[1]
    found = collect(results.plan, results.records)
    shutil.rmtree(ROOT)
    return found


def rewritten(path, **changed):
    """Write an archive's file again with other content; `None` leaves a member out."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()} | changed
    with zipfile.ZipFile(path, 'w') as archive:
        for name, data in content.items():
            if data is not None:
                archive.writestr(name, data)


def test_another_machine_trains_nothing_and_has_the_same_results(kept):
    complete, execution = run(budget_s=0)
    assert complete
    assert not execution.plan.left
    assert not [*ROOT.rglob('*.pth')]
    again = collect(execution.plan, execution.records)
    assert again == kept
    assert 'Training loss' in page(execution.plan, execution.records, again)


def test_equal_trials_are_archived_as_equal_bytes(kept):
    before = {path: path.read_bytes() for path in KEPT.iterdir()}
    assert len(before) == 4  # two strategies of two seeds
    run(budget_s=0)
    assert {path: path.read_bytes() for path in KEPT.iterdir()} == before


def test_a_trial_that_the_archive_lacks_is_run(kept):
    lost = next(iter(sorted(KEPT.iterdir())))
    lost.unlink()
    assert run()[0]
    assert lost.is_file()
    assert len([*ROOT.rglob('starts.txt')]) in (1, 2)  # its detector, and what that starts from


def test_another_study_leaves_the_archive_alone(kept, place):
    text = (place / 'study.yaml').read_text().replace('epochs: 3', 'epochs: 2')
    (place / 'study.yaml').write_text(text)
    assert not run(budget_s=0)[0]


def encrypted(content):
    """Return an archive that says of each member that it needs a password."""
    content = bytearray(content)
    for mark, offset in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(mark, at + 4)
    return bytes(content)


def test_members_that_no_trial_leaves_are_not_read_and_the_others_not_beyond_a_limit(
    kept, monkeypatch
):
    trial = plan(read('study.yaml')).trials[0]
    path = KEPT / f'{trial.test.name.replace("/", "_")}.zip'
    held = sum(file.file_size for file in zipfile.ZipFile(path).infolist())
    monkeypatch.setattr(archive_module, '_MOST_BYTES', 2 * held)
    rewritten(path, **{f'{number}.json': b' ' * 3 * held for number in range(9)})
    archive_module.restore(plan(read('study.yaml')), KEPT)
    shutil.rmtree(ROOT)
    monkeypatch.setattr(archive_module, '_MOST_BYTES', held // 2)
    with pytest.raises(LandslideError, match=f'more than {held // 2} bytes'):
        archive_module.restore(plan(read('study.yaml')), KEPT)


def test_a_damaged_archive_is_refused_and_nothing_of_it_is_written(kept):
    trial = plan(read('study.yaml')).trials[0]
    path = KEPT / f'{trial.test.name.replace("/", "_")}.zip'
    whole, scores = path.read_bytes(), f'{len(trial.stages) - 1}/metrics.json'
    for spoil in (
        lambda: path.write_bytes(whole[:-100]),
        lambda: path.write_text('not a zip'),
        lambda: rewritten(path, **{'records.json': b'[1]'}),
        lambda: rewritten(path, **{'records.json': b'{"a": {"secret": 1}}'}),
        lambda: rewritten(path, **{scores: None}),
        lambda: rewritten(path, **{'records.json': b'[' * 99999}),
        lambda: path.write_bytes(encrypted(whole)),
    ):
        path.write_bytes(whole)
        spoil()
        with pytest.raises(
            LandslideError, match=r'(archive|state) must .*, got .*\.zip\. Delete it'
        ):
            run(budget_s=0)
        assert not trial.test.work_dir.exists()


def test_a_stranger_s_archive_writes_nowhere_else(kept):
    for path in KEPT.iterdir():
        rewritten(path, **{'0/../../out.json': b'{}', '0/a/vis_data/x.py': b'', '/x.json': b'{}'})
    assert run(budget_s=0)[0]
    assert not [*Path().rglob('out.json'), *Path().rglob('x.py'), *Path().rglob('x.json')]
