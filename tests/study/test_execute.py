import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from mmlandslide.errors import ConfigError, LandslideError
from mmlandslide.study.environment import machine
from mmlandslide.study.execute import SEEN, Execution
from mmlandslide.study.inputs.state_file import read_state
from mmlandslide.study.plan import plan
from mmlandslide.study.process import exclusive
from mmlandslide.study.results import collect
from mmlandslide.study.specification import read

STUB = (sys.executable, str(Path(__file__).with_name('stub_mim.py')))
RUN = f"""
from mmlandslide.study.execute import Execution
from mmlandslide.study.plan import plan
from mmlandslide.study.specification import read
Execution(plan(read('study.yaml')), mim={STUB!r}).run()
"""


def run(budget_s=None):
    execution = Execution(plan(read('study.yaml')), budget_s, mim=STUB)
    return execution.run(), execution


def starts(execution):
    """Return stage -> the commands that trained it."""
    stages = execution.plan.stages.values()
    files = {stage.name: stage.work_dir / 'starts.txt' for stage in stages if stage.kind != 'test'}
    return {
        name: file.read_text().splitlines() if file.is_file() else []
        for name, file in files.items()
    }


def test_a_study_runs_each_stage_once_and_shares_the_pretraining(place):
    complete, execution = run()
    assert complete
    assert {record.status for record in execution.records.values()} == {'finished'}
    assert [len(lines) for lines in starts(execution).values()] == [
        1
    ] * 5  # 4 detectors and one pre-training
    before = starts(execution)
    assert run()[0]
    assert starts(execution) == before  # a second start finds everything done


def test_a_failed_trial_is_named_and_the_others_run(edited):
    edited(('config: mae.py', 'config: broken.py'))
    complete, execution = run()
    assert complete
    broken = execution.plan.trials[2].stages[0]
    assert (
        vars(execution.records[broken.name])['error']
        == 'loss must be finite, got nan in broken.py. Lower the rate.'
    )
    cells = collect(execution.plan, execution.records)['cells']
    assert [[each['status'] for each in cell['runs']] for cell in cells] == [
        ['finished'] * 2,
        ['failed'] * 2,
    ]
    assert len(starts(execution)[broken.name]) == 1  # not tried again for the second seed


def test_a_test_on_tiles_that_were_seen_is_leakage(edited):
    edited(('config: det.py', 'config: seen.py'))
    complete, execution = run()
    assert complete
    runs = collect(execution.plan, execution.records)['cells'][0]['runs']
    assert [each['status'] for each in runs] == ['leakage'] * 2
    assert runs[0]['error'].startswith(SEEN)


def test_the_runner_s_error_still_begins_as_leakage_is_recognised():
    source = Path(__file__).parents[2] / 'mmlandslide' / 'engine' / 'agreement.py'
    subject, _, expected = SEEN.partition(' must ')
    assert f"'{subject}', '{expected}'" in ' '.join(source.read_text().split())


def test_no_budget_starts_nothing(place):
    complete, execution = run(budget_s=0)
    assert not complete
    assert not any(starts(execution).values())


def test_a_budget_stops_behind_a_checkpoint_and_the_rest_resumes(place, monkeypatch):
    monkeypatch.setenv('STUB_EPOCH_S', '4')
    complete, execution = run(budget_s=11)  # of three checkpoints the last would be late
    assert not complete
    first = execution.plan.trials[0].stages[0]
    assert (first.work_dir / 'epoch_1.pth').is_file()
    assert not (first.work_dir / 'epoch_3.pth').is_file()
    monkeypatch.setenv('STUB_EPOCH_S', '0')
    assert run()[0]
    assert '--resume' in starts(execution)[first.name][1]


def kill_within_a_training(seconds):
    """Start the study, and kill it so long after a training has begun.

    The stage that runs outlives it.
    """
    begun = len(
        list(Path().glob('work_dirs/studies/study/*/2030*'))
    )  # the stand-in makes such a folder first of all
    study = subprocess.Popen([sys.executable, '-c', RUN])
    while (
        study.poll() is None and len(list(Path().glob('work_dirs/studies/study/*/2030*'))) == begun
    ):
        time.sleep(0.02)
    time.sleep(seconds)
    study.send_signal(signal.SIGKILL)
    study.wait()


def untimed(results):
    """Return results without the CPU seconds of their stages, which no two runs have in common."""
    for cell in results['cells']:
        for stage in (stage for each in cell['runs'] for stage in each['stages']):
            del stage['cpu_seconds']
    return results


def test_killed_at_random_moments_the_results_are_those_of_one_that_was_not(place, monkeypatch):
    _, whole = run()
    expected = collect(whole.plan, whole.records)
    whole.plan.specification.root.rename('undisturbed')
    monkeypatch.setenv('STUB_EPOCH_S', '1')
    draw = random.Random(0)
    for _ in range(3):
        kill_within_a_training(draw.uniform(0, 2))  # the first takes 3 s, a pre-training 2 s
    monkeypatch.setenv('STUB_EPOCH_S', '0')
    complete, execution = run()
    assert complete
    assert any(record.attempts > 1 for record in execution.records.values())
    found = collect(execution.plan, execution.records)
    assert json.dumps(untimed(found)) == json.dumps(untimed(expected))


def test_two_studies_do_not_share_a_folder(place):
    with (
        exclusive(Path('work_dirs/studies/study')),
        pytest.raises(
            ConfigError,
            match=f'one process at a time for study, got study by process {os.getpid()} on',
        ),
    ):
        run()


def test_without_the_lock_a_second_study_runs_in_the_folder_of_the_first(place, monkeypatch):
    monkeypatch.setattr('mmlandslide.study.execute.exclusive', lambda folder: nullcontext())
    with exclusive(Path('work_dirs/studies/study')):
        assert run()[0]


def test_nothing_of_a_stage_runs_on_when_its_study_leaves(place, monkeypatch):
    monkeypatch.setenv('STUB_EPOCH_S', '30')

    def leave(stage, record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Execution(plan(read('study.yaml')), mim=STUB, watch=leave).run()
    lock = next(Path('work_dirs/studies/study').glob('*/stage.lock'))
    with pytest.raises(ProcessLookupError):
        os.killpg(json.loads(lock.read_text())['pid'], 0)


def test_a_broken_state_is_refused(tmp_path):
    (tmp_path / 'state.json').write_text('{"a": {"status": "finished", "colour": "red"}}')
    with pytest.raises(
        LandslideError,
        match=r"state must be as a study wrote it, got other keys of 'a' in .*state\.json",
    ):
        read_state(tmp_path / 'state.json')


def test_an_older_state_without_later_keys_is_read(tmp_path):
    (tmp_path / 'state.json').write_text('{"a": {"status": "finished"}}')
    assert read_state(tmp_path / 'state.json')['a'].attempts == 0


def test_a_killed_study_s_child_is_ended_before_another_stage_starts(place, monkeypatch):
    monkeypatch.setenv('STUB_EPOCH_S', '30')
    study = subprocess.Popen([sys.executable, '-c', RUN])
    lock = waited_for('work_dirs/studies/study/*/stage.lock')
    study.kill()
    study.wait()
    with lock.open() as file:
        with pytest.raises(BlockingIOError):  # the child has it
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert not run(budget_s=0)[0]  # which starts nothing
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def waited_for(pattern):
    """Return the file that a pattern finds, once it has text."""
    for _ in range(600):
        found = [path for path in Path().glob(pattern) if path.read_text()]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(pattern)


def test_seconds_of_an_attempt_that_was_interrupted_count(place, monkeypatch):
    monkeypatch.setenv('STUB_EPOCH_S', '30')

    def leave(stage, record):
        if record.seconds > 0.2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Execution(plan(read('study.yaml')), mim=STUB, watch=leave).run()
    (kept,) = read_state(Path('work_dirs/studies/study/state.json')).values()
    assert kept.seconds > 0.2


def test_a_budget_that_reaches_no_checkpoint_is_no_progress(place, monkeypatch):
    monkeypatch.setenv('STUB_EPOCH_S', '30')
    assert not run(budget_s=0.5)[1].progressed
    monkeypatch.setenv('STUB_EPOCH_S', '0')
    assert run()[1].progressed


def test_machines_and_revisions_of_all_attempts_are_kept(place):
    _, execution = run()
    results = collect(execution.plan, execution.records)
    assert results['machines'] == [machine()]
    record = execution.records[execution.plan.trials[0].stages[0].name]
    record.machine = '64 cores other, GPU; ' + record.machine
    assert collect(execution.plan, execution.records)['machines'] == sorted(
        ['64 cores other, GPU', machine()]
    )


def test_a_score_stays_where_the_checkpoint_behind_it_was_deleted(place):
    _, execution = run()
    (execution.plan.trials[0].stages[0].work_dir / 'epoch_3.pth').unlink()
    before = starts(execution)
    complete, again = run()
    assert complete
    assert starts(again) == before
    assert collect(again.plan, again.records)['cells'][0]['runs'][0]['status'] == 'finished'


def test_an_older_state_s_void_is_leakage(tmp_path):
    (tmp_path / 'state.json').write_text('{"a": {"status": "void"}}')
    assert read_state(tmp_path / 'state.json')['a'].status == 'leakage'


def test_the_cpu_seconds_of_ended_stages_are_noted(place, monkeypatch):
    monkeypatch.setenv('STUB_BUSY_S', '0.3')
    _, execution = run()
    spent = {name: record.cpu_seconds for name, record in execution.records.items()}
    assert all(0.3 <= spent[trial.training.name] < 30 for trial in execution.plan.trials)
    assert run()[1].records[execution.plan.trials[0].training.name].cpu_seconds in spent.values()
