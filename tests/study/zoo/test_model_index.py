import modelindex
import pytest
import yaml
from mim.commands.search import convert2df

from mmlandslide.study.zoo.model_index import Weights, files

DETECT, ENCODER = (
    'work/Swin-Tiny_MAE_study_100pct_seed0_11111111',
    'work/swin_mae_tiny_rgb_22222222',
)
SWIN = Weights('det-aaaaaaaa.safetensors', 'a' * 64, 'SwinTransformer', ('l4s',))
WEIGHTS = {
    DETECT: SWIN,
    ENCODER: Weights('mae-bbbbbbbb.safetensors', 'b' * 64, 'SwinTransformer', ('l4s',)),
}


def trained(kind, config, work_dir, epochs, batch_size):
    options = {'train_cfg.max_epochs': epochs, 'train_dataloader.batch_size': batch_size}
    return {'kind': kind, 'config': config, 'work_dir': work_dir, 'options': options}


def cell(backbone='Swin-Tiny', *first, **changes):
    """Return a condition as `results.json` holds it; `first` are stages before the others."""
    stages = [
        *first,
        trained('pretrain', 'configs/pretrain/swin_mae_tiny_rgb.py', ENCODER, 8, 16),
        trained('detect', 'configs/det/faster_rcnn_swin_t_rgb.py', DETECT, 4, 8),
        {'kind': 'test', 'work_dir': 'w', 'options': {}},
    ]
    metrics = {'AP': 0.123456, 'AP50': 0.3, 'AP_ge32px': None, **changes}
    run = {'seed': 0, 'status': 'finished', 'steps': 720, 'metrics': metrics, 'stages': stages}
    return {
        'backbone': backbone,
        'strategy': 'MAE',
        'protocol': 'study',
        'label_fraction': 1.0,
        'runs': [run],
    }


def written(folder, cells, weights=WEIGHTS):
    for name, text in files({'cells': cells}, weights).items():
        (folder / name).write_text(text)
    return modelindex.load(str(folder / 'model-index.yml'))


def test_the_index_is_read_by_the_package_that_mim_reads_it_with(tmp_path):
    index = written(tmp_path, [cell()])
    assert index.check(silent=True) == []
    assert [model.name for model in index.models] == [
        ENCODER.removeprefix('work/'),
        DETECT.removeprefix('work/'),
    ]
    detector = index.models[1]
    assert (detector.weights, detector.config) == (
        'det-aaaaaaaa.safetensors',
        'configs/det/faster_rcnn_swin_t_rgb.py',
    )
    assert detector.results[0].metrics == {'box AP': 0.1235, 'AP50': 0.3}
    assert (detector.results[0].dataset, detector.metadata.data['SHA256']) == ('study', 'a' * 64)


def test_mim_searches_it(tmp_path):
    table = convert2df(written(tmp_path, [cell()]))
    row = table.loc[DETECT.removeprefix('work/')]
    assert (row['study/box_ap'], row['epochs'], row['batch_size'], row['model']) == (
        0.1235,
        4,
        8,
        'swin-tiny',
    )
    assert (row['training_data'], row['architecture']) == ('l4s', 'faster r-cnn, swintransformer')


def test_a_model_says_nothing_of_what_its_collection_holds_besides(tmp_path):
    index = written(tmp_path, [{**cell(), 'strategy': 'other'}, cell()])
    assert index.collections[0].metadata.training_techniques == 'other, MAE'
    assert index.models[0].full_model.metadata.architecture == 'SwinTransformer'


def test_a_strategy_that_left_no_weights_is_not_in_the_collection(tmp_path):
    unfinished = {**cell(), 'strategy': 'scratch'}
    unfinished['runs'] = [
        {**unfinished['runs'][0], 'stages': [trained('detect', 'a.py', 'work/other', 4, 8)]}
    ]
    assert (
        written(tmp_path, [unfinished, cell()]).collections[0].metadata.training_techniques == 'MAE'
    )


@pytest.mark.parametrize(
    ('config', 'number'),
    [
        ('swin_mae_tiny.py', '2212.13805'),
        ('mae_vit_b.py', '2111.06377'),
        ('kd_vit_l_to_swin_t.py', '1503.02531'),
        ('supervised_l4s_swin_t.py', '2103.14030'),
    ],
)
def test_papers_are_those_of_detector_backbone_and_pretraining(tmp_path, config, number):
    changed = cell()
    changed['runs'][0]['stages'][0] = trained('pretrain', config, ENCODER, 8, 16)
    index = written(tmp_path, [changed])
    assert index.collections[0].paper['URL'] == 'https://arxiv.org/abs/2103.14030'
    assert [model.paper['URL'].rpartition('/')[2] for model in index.models] == [
        number,
        '1506.01497',
    ]


def test_a_pretraining_that_backbones_share_is_one_model_and_a_teacher_is_none_of_theirs(tmp_path):
    teacher = trained('pretrain', 'configs/pretrain/supervised_l4s_vit_l.py', 'work/vit', 2, 4)
    weights = {
        **WEIGHTS,
        'work/vit': Weights('vit-cccccccc.safetensors', 'c' * 64, 'VisionTransformer', ('l4s',)),
    }
    del weights[DETECT]
    index = written(tmp_path, [cell('A', teacher), cell('B', teacher)], weights)
    assert [(model.name, model.in_collection) for model in index.models] == [
        ('vit', 'A'),
        ('swin_mae_tiny_rgb_22222222', 'A'),
    ]
    assert [each.metadata.architecture for each in index.collections] == ['SwinTransformer']


def test_each_backbone_has_its_metafile_and_one_without_weights_has_none(tmp_path):
    found = files({'cells': [cell('Swin-Tiny'), cell('ViT')]}, WEIGHTS)
    assert list(found) == ['metafile_swin_tiny.yml', 'model-index.yml']
    assert yaml.safe_load(found['model-index.yml']) == {'Import': ['metafile_swin_tiny.yml']}
    assert list(written(tmp_path, [cell()], {}).models) == []


def test_a_score_that_is_not_defined_is_left_out(tmp_path):
    assert written(tmp_path, [cell(AP=None)]).models[1].results[0].metrics == {'AP50': 0.3}


def test_a_config_that_is_none_of_ours_is_no_faster_rcnn(tmp_path):
    changed = cell()
    changed['runs'][0]['stages'][1] = trained('detect', 'mine.py', DETECT, 8, 16)
    detector = written(tmp_path, [changed]).models[1]
    assert (detector.metadata.architecture, detector.paper) == ('SwinTransformer', None)
