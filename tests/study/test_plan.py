import pytest

from mmlandslide.errors import ConfigError
from mmlandslide.study.plan import plan
from mmlandslide.study.specification import read


def planned(path='study.yaml'):
    return plan(read(path))


def option(stage, key):
    return dict(word.split('=', 1) for word in stage.command if '=' in word).get(key)


def test_trials_are_the_product_and_share_one_pretraining(place):
    found = planned()
    assert [
        (trial.condition.strategy, trial.seed, [stage.kind for stage in trial.stages])
        for trial in found.trials
    ] == [
        ('scratch', 0, ['detect', 'test']),
        ('scratch', 1, ['detect', 'test']),
        ('MAE', 0, ['pretrain', 'detect', 'test']),
        ('MAE', 1, ['pretrain', 'detect', 'test']),
    ]
    assert len(found.stages) == 4 * 2 + 1


def test_a_pretraining_for_each_seed_is_not_shared(edited):
    found = planned(edited(('batch_size: 4', 'batch_size: 4, each_seed: true')))
    assert [option(trial.stages[0], 'randomness.seed') for trial in found.trials[2:]] == ['0', '1']
    assert len(found.stages) == 4 * 2 + 2


def test_commands_are_those_that_a_user_types(place):
    pretrain, detect, test = planned().trials[2].stages
    assert pretrain.command[:5] == ('mim', 'train', 'mmpretrain', 'mae.py', '--work-dir')
    assert option(pretrain, 'param_scheduler.1.T_max') == '1'  # 2 epochs, one of them warm-up
    assert option(detect, 'model.backbone.pretrained.checkpoint') == str(pretrain.work_dir)
    assert test.command[:6] == (
        'mim',
        'test',
        'mmdet',
        'det.py',
        '--checkpoint',
        str(detect.work_dir / 'epoch_3.pth'),
    )
    assert option(test, 'test_dataloader.dataset.split_file') == 'score.txt'


def test_steps_are_tiles_over_batch_times_epochs(place):
    pretrain, detect, test = planned().trials[2].stages
    # 10 tiles: 2 epochs of ceil(10 / 4) steps; 3 epochs of 10 / 2; 6 scored tiles.
    assert (pretrain.steps, detect.steps, test.steps) == (2 * 3, 3 * 5, 6)


def test_another_option_is_another_stage_and_all_that_starts_from_it(edited):
    before, after = planned(), planned(edited(('batch_size: 4', 'batch_size: 5')))
    same = [
        one.name == other.name
        for one, other in zip(before.trials[2].stages, after.trials[2].stages, strict=True)
    ]
    assert same == [False, False, False]
    assert [stage.name for stage in before.trials[0].stages] == [
        stage.name for stage in after.trials[0].stages
    ]


def test_another_tile_is_another_stage(place):
    before = planned().trials[0].stages[0].name
    (place / 'train.txt').write_text('train/100\ntrain/101\n')
    assert planned().trials[0].stages[0].name != before


def test_parts_of_the_labels_are_nested_and_shared_by_strategies(edited):
    found = planned(edited(('seeds: [0, 1]', 'seeds: [0, 1]\nlabel_fractions: [0.2, 0.5, 1.0]')))
    parts = {path.name: set(text.split()) for path, text in found.split_files.items()}
    sizes = {
        f'study_{percent}pct_seed{seed}.txt': count
        for percent, count in ((20, 2), (50, 5))
        for seed in (0, 1)
    }
    assert {name: len(ids) for name, ids in parts.items()} == sizes
    assert parts['study_20pct_seed0.txt'] < parts['study_50pct_seed0.txt']
    assert parts['study_50pct_seed0.txt'] != parts['study_50pct_seed1.txt']
    few = [trial for trial in found.trials if trial.condition.label_fraction == 0.2]
    assert (
        len({option(trial.stages[-2], 'train_dataloader.dataset.split_file') for trial in few}) == 2
    )  # one a seed
    assert (
        option(few[-1].stages[0], 'train_dataloader.dataset.split_file') == 'train.txt'
    )  # a pre-training needs no labels


def test_a_chain_hands_each_work_dir_on(edited):
    teacher = '{config: mae.py, epochs: 2, batch_size: 4}'
    student = '{config: det.py, epochs: 4, batch_size: 4, options: {model.teacher.checkpoint: "{previous}"}}'
    first, second, detect, _ = (
        planned(edited((f'[{teacher}]', f'[{teacher}, {student}]'))).trials[2].stages
    )
    assert option(second, 'model.teacher.checkpoint') == str(first.work_dir)
    assert option(detect, 'model.backbone.pretrained.checkpoint') == str(second.work_dir)


def test_options_of_a_strategy_win_and_lists_are_written_as_mim_reads_them(edited):
    chosen = 'scratch: {options: {train_cfg.val_interval: 7, model.x: [0.5, null, true]}}'
    detect, test = (
        planned(edited(('scratch: {options: {model.backbone.pretrained: null}}', chosen)))
        .trials[0]
        .stages
    )
    assert (option(detect, 'train_cfg.val_interval'), option(detect, 'model.x')) == (
        '7',
        '[0.5,None,True]',
    )
    assert (option(test, 'train_cfg.val_interval'), option(test, 'model.x')) == (
        None,
        '[0.5,None,True]',
    )


def test_a_pretraining_with_labels_sees_those_of_its_cell_alone(edited):
    labelled = ('epochs: 2, batch_size: 4}', 'epochs: 2, batch_size: 4, labelled: true}')
    found = planned(edited(labelled, ('seeds: [0, 1]', 'seeds: [0]\nlabel_fractions: [0.2, 1.0]')))
    few, whole = (trial.stages[0] for trial in found.trials if trial.condition.strategy == 'MAE')
    assert option(few, 'train_dataloader.dataset.split_file').endswith(
        'splits/study_20pct_seed0.txt'
    )
    assert option(whole, 'train_dataloader.dataset.split_file') == 'train.txt'


@pytest.mark.parametrize(
    'claim',
    [
        '{of: {strategy: MEA}, over: {strategy: scratch}}',
        '{of: {strategy: MAE}, over: {strategy: MAE}}',
    ],
)
def test_a_claim_that_compares_nothing_is_refused_before_anything_is_trained(edited, claim):
    with pytest.raises(
        ConfigError,
        match=r'compare.0 must compare conditions of the study, got of .* in Two backbones',
    ):
        planned(edited(('{of: {strategy: MAE}, over: {strategy: scratch}}', claim)))


def test_a_pretraining_without_a_config_for_its_protocol_is_refused(edited):
    two = ('protocols:', 'protocols:\n  l4s: {train_ids: train.txt, score_ids: score.txt}')
    with pytest.raises(
        ConfigError,
        match=r"pre-training of MAE must have a config for protocol 'l4s', got \['study'\]",
    ):
        planned(edited(two, ('config: mae.py', 'config: {study: mae.py}')))


def test_the_forks_command_is_theirs(place, monkeypatch):
    monkeypatch.setattr('mmlandslide.study.chain.stack_in_use', lambda: 'onedl')
    assert {stage.command[2] for stage in planned().stages.values()} == {
        'mmpretrain',
        'mmdetection',
    }


def test_a_protocol_s_name_leads_nowhere_else(edited):
    found = planned(
        edited(
            ('  study: {', "  '../up, there': {"),
            ('seeds: [0, 1]', 'seeds: [0]\nlabel_fractions: [0.2]'),
        )
    )
    assert [path.name for path in found.split_files] == ['up-there_20pct_seed0.txt']


TESTED_OTHERWISE = """
      long: {detect: {epochs: 8, batch_size: 1}}
      views: {detector_of: MAE, tta: true, options: {model.test_cfg.rpn.max_per_img: 100}}
"""


def test_a_strategy_may_have_a_schedule_of_its_own(edited):
    found = planned(edited(('batch_size: 4}]}', 'batch_size: 4}]}' + TESTED_OTHERWISE)))
    long = found.trials[4].training
    assert (long.steps, long.leaves) == (8 * 10, ('epoch_8.pth',))
    assert option(long, 'param_scheduler.1.T_max') == '7'


def test_a_detector_may_be_tested_once_more_with_all_views(edited):
    found = planned(edited(('batch_size: 4}]}', 'batch_size: 4}]}' + TESTED_OTHERWISE)))
    first, again = found.trials[2], found.trials[6]
    assert again.condition.strategy == 'views'
    assert [stage.name for stage in again.stages[:-1]] == [
        stage.name for stage in first.stages[:-1]
    ]
    assert again.test.name != first.test.name
    assert again.test.command[6] == '--tta'
    assert option(again.test, 'model.test_cfg.rpn.max_per_img') == '100'
    assert '--tta' not in first.test.command
    assert (found.trains(first), found.trains(again)) == (True, False)


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        ('{detector_of: nobody}', r"strategies.x.detector_of must be one of \['scratch', 'MAE'\]"),
        ('{detector_of: x}', r'detector_of must be one of'),
        ('{detector_of: MAE, detect: {epochs: 4, batch_size: 1}}', 'train nothing of its own'),
    ],
)
def test_a_further_test_of_no_detector_is_refused(edited, line, said):
    with pytest.raises(ConfigError, match=said):
        planned(edited(('batch_size: 4}]}', f'batch_size: 4}}]}}\n      x: {line}')))


def test_a_strategy_may_be_run_at_some_shares_of_labels_alone(edited):
    line = 'batch_size: 4}]}\n      few: {label_fractions: [0.5]}'
    shares = ('seeds: [0, 1]', 'seeds: [0]\nlabel_fractions: [0.5, 1.0]')
    found = planned(edited(('batch_size: 4}]}', line), shares))
    levels = [(each.condition.strategy, each.condition.label_fraction) for each in found.trials]
    assert levels.count(('few', 0.5)) == 1
    assert ('few', 1.0) not in levels
    assert ('MAE', 1.0) in levels
    with pytest.raises(
        ConfigError, match=r'few.label_fractions must be among \[1.0\], got \[0.5\]'
    ):
        planned(edited(('batch_size: 4}]}', line)))
