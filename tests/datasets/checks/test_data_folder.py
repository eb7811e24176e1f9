import factories

from mmlandslide.datasets.checks import data_folder
from mmlandslide.installation import Finding


def test_data_sets_are_counted_by_split(tmp_path):
    for name in ('img/image_1.h5', 'img/image_2.h5', 'mask/mask_1.h5'):
        path = tmp_path / 'landslide4sense/TrainData' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    [finding] = data_folder.dataset_findings(tmp_path)
    assert finding.value == 'layout A, images / masks: train 2 / 1, validation 0 / 0, test 0 / 0'


def test_no_data_set_is_a_note(tmp_path):
    [finding] = data_folder.dataset_findings(tmp_path)
    assert not finding.fault
    assert 'mmlandslide synth' in finding.remedy


def test_other_data_sets_are_counted_when_they_are_there(tmp_path):
    factories.write_voc(tmp_path / 'l4s_rgb', {'train': 2, 'valid': 1})
    factories.write_mask_folder(tmp_path / 'mars_mmls' / 'train', count=3)
    _, photographs, mars = data_folder.dataset_findings(tmp_path)
    assert photographs == Finding(
        str(tmp_path / 'l4s_rgb'), 'images / XML files: train 2 / 2, valid 1 / 1'
    )
    assert mars == Finding(
        str(tmp_path / 'mars_mmls'), 'images / masks: train 3 / 3, validation 0 / 0'
    )
