import json
import re
import sys
from pathlib import Path

import pytest

from mmlandslide.study.execute import Execution
from mmlandslide.study.plan import plan
from mmlandslide.study.report.tables import markdown
from mmlandslide.study.results import collect
from mmlandslide.study.specification import read

STUB = (sys.executable, str(Path(__file__).with_name('stub_mim.py')))


@pytest.fixture
def execution(place):
    done = Execution(plan(read('study.yaml')), mim=STUB)
    done.run()
    return done


def test_results_hold_means_spreads_intervals_and_verdicts(execution):
    results = collect(execution.plan, execution.records)
    scratch = results['cells'][0]
    values = [run['metrics']['AP'] for run in scratch['runs']]
    assert scratch['scores']['AP']['mean'] == pytest.approx(sum(values) / 2)
    assert scratch['scores']['AP']['std'] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert (
        scratch['scores']['AP']['interval'][0]
        <= scratch['scores']['AP']['mean']
        <= scratch['scores']['AP']['interval'][1]
    )
    assert (scratch['scored_tiles'], scratch['true_boxes']) == (6, 12)
    (found,) = results['differences']
    means = [cell['scores']['AP']['mean'] for cell in results['cells']]
    assert found['AP']['difference'] == pytest.approx(means[1] - means[0])
    assert found['seeds'] == [0, 1]


def test_a_score_that_its_detections_do_not_give_is_refused_and_the_others_stay(execution):
    path = execution.plan.trials[0].stages[-1].work_dir / 'metrics.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), 'AP': 0.99}))
    results = collect(execution.plan, execution.records)
    bad, good = results['cells'][0]['runs']
    assert bad['status'] == 'failed'
    assert re.search(
        r"in metrics.json must be COCO's, got .*0.99.* against .* from predictions.json",
        bad['error'],
    )
    assert (good['status'], results['cells'][0]['scores']['AP']['seeds']) == ('finished', 1)
    assert results['differences'][0]['seeds'] == [1]


def test_a_file_that_no_metric_wrote_is_refused(execution):
    (execution.plan.trials[0].stages[-1].work_dir / 'predictions.json').write_text('[{}]')
    run = collect(execution.plan, execution.records)['cells'][0]['runs'][0]
    assert re.search(
        r'files of a test must be those that LandslideMetric writes, got KeyError .*boxes_xyxy',
        run['error'],
    )


def test_a_score_that_is_not_defined_gives_no_verdict(execution):
    for trial in execution.plan.trials:
        metrics, predictions = (
            trial.stages[-1].work_dir / name for name in trial.stages[-1].leaves
        )
        empty = [
            {**each, 'true_boxes_xyxy': [], 'true_labels': []}
            for each in json.loads(predictions.read_text())
        ]
        predictions.write_text(json.dumps(empty))
        metrics.write_text(json.dumps({'AP': None, 'AP50': None}))
    results = collect(execution.plan, execution.records)
    assert results['cells'][0]['scores']['AP'] == {
        'mean': None,
        'std': None,
        'seeds': 0,
        'interval': None,
    }
    assert results['differences'][0]['AP'] == {'verdict': 'not measured'}
    assert 'not measured' in markdown(results)


def test_what_has_not_run_is_not_measured(place):
    results = collect(plan(read('study.yaml')), {})
    assert results['differences'][0]['AP'] == {'verdict': 'not measured'}
    assert 'not measured' in markdown(results)


def test_tables_stand_beside_the_original_numbers(execution):
    text = markdown(collect(execution.plan, execution.records))
    row = next(
        line
        for line in text.splitlines()
        if line.startswith('| Swin-Tiny | MAE | 100 % | 2 of 2 |')
    )
    assert row.endswith('| .3637 / .1304 |')
    assert 'MAE - scratch | Swin-Tiny, study, 100 % of labels | 2 |' in text
    assert 'mim train mmpretrain mae.py' in text
