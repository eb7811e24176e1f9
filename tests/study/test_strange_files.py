"""Files of a test that no test wrote, as an archive of somebody else may hold them."""

from study.test_execute import STUB

from mmlandslide.study.execute import Execution
from mmlandslide.study.plan import plan
from mmlandslide.study.report.report import page
from mmlandslide.study.results import collect
from mmlandslide.study.specification import read

STRANGE = {
    'metrics.json': [b'', b'[1]', b'null', b'[' * 99999, b'{"AP50": "x", "AP": 1}', b'\xff'],
    'predictions.json': [b'', b'[1]', b'{}', b'[' * 99999, b'[{"img_id": "a"}]', b'\xff', b'null'],
    'evaluation.json': [
        *(b'', b'[1]', b'null', b'[' * 99999, b'{"rules": 5}', b'{"rules": [1]}', b'\xff'),
        *(b'{"rules": {"native_scale": "x"}}', b'{"rules": {"native_scale": null}}'),
    ],
}


def test_strange_files_are_told_as_the_trial_s_and_the_report_is_made_of_the_others(place):
    execution = Execution(plan(read('study.yaml')), mim=STUB)
    assert execution.run()
    sound = collect(execution.plan, execution.records)
    trial = execution.plan.trials[0]
    for name, contents in STRANGE.items():
        path = trial.test.work_dir / name
        before = path.read_bytes() if path.is_file() else None
        for content in contents:
            path.write_bytes(content)
            found = collect(execution.plan, execution.records)
            told = [run for cell in found['cells'] for run in cell['runs'] if run['error']]
            assert len(told) == 1, (name, content[:40])
            assert ' must ' in told[0]['error'], (name, content[:40])
        assert page(execution.plan, execution.records, found)
        path.unlink() if before is None else path.write_bytes(before)
    assert collect(execution.plan, execution.records) == sound
