"""`mmlandslide prepare` of images with labels of a common format."""

import json

import factories
import numpy as np
import rasterio
from click.testing import CliRunner

from mmlandslide.cli.prepare import command
from tests.datasets.labels.test_formats import (
    BOX,
    coco_json,
    image,
    labelme_json,
    labels_of,
    shape,
    xml,
)


def run(*arguments):
    return CliRunner().invoke(command, [*map(str, arguments)], env={'COLUMNS': '200'})


def test_a_sound_set_is_counted_and_written_as_coco_json(tmp_path):
    for number in (1, 2):
        image(tmp_path / f'{number}.png')
        xml(tmp_path / f'{number}.xml', *[BOX] * (number == 1))
    result = run('--voc', tmp_path)
    assert result.exit_code == 0, result.output
    assert '2, 1 of them without a box' in result.output
    content = json.loads((tmp_path / '.mmlandslide' / 'coco_voc.json').read_text())
    assert [row['file_name'] for row in content['images']] == ['1.png', '2.png']
    assert content['annotations'][0]['bbox'] == [10, 10, 50, 40]


def test_every_fault_of_every_file_is_listed_and_nothing_written(tmp_path):
    for number in (1, 2, 3):
        image(tmp_path / f'{number}.png', 64, 64)
        xml(tmp_path / f'{number}.xml', (5, 1, 5, 9), (1, 1, 999, 9))
    (tmp_path / '3.png').write_bytes((tmp_path / '3.png').read_bytes()[:60])
    result = run('--voc', tmp_path, '--json', tmp_path / 'all.json')
    assert result.exit_code == 1
    assert result.output.count('(wrong-box)') == 6
    assert result.output.count('(broken-image)') == 1
    assert len(json.loads((tmp_path / 'all.json').read_text())) == 7
    assert not (tmp_path / '.mmlandslide').exists()


def test_coco_yolo_and_labelme_are_read(tmp_path):
    image(tmp_path / 'c' / 'img' / '1.png')
    coco_json(tmp_path / 'c')
    image(tmp_path / 'y' / 'images' / '1.png')
    labels_of(tmp_path / 'y', '0 0.5 0.5 0.25 0.25')
    image(tmp_path / 'l' / '1.png')
    labelme_json(tmp_path / 'l')
    for form, path in (('coco', 'c'), ('coco', 'c/a.json'), ('yolo', 'y'), ('labelme', 'l')):
        result = run(f'--{form}', tmp_path / path, '--check')
        assert result.exit_code == 0, result.output
        assert 'All files are sound.' in result.output


def test_a_folder_of_masks_is_checked_in_one_pass(tmp_path):
    factories.write_mask_folder(tmp_path, count=4)
    options = ('--masks', tmp_path, '--source-bands', 'mars')
    assert '4, 4 clipped' not in run(*options, '--check').output
    for number in (1, 3):
        factories.write_array(
            tmp_path / 'masks' / f'Mask_patch_1_{number}.tif', np.full((1, 64, 64), 7, np.uint8)
        )
    (tmp_path / 'masks' / 'Mask_patch_1_2.tif').unlink()
    result = run(*options, '--check')
    assert result.exit_code == 1
    assert result.output.count('hold 0 and 1 only, got [7]') == 2
    assert 'have one mask of its id 1_2' in result.output


def test_masks_that_look_inverted_are_told(tmp_path):
    factories.write_mask_folder(tmp_path, count=4)
    options = ('--masks', tmp_path, '--source-bands', 'mars', '--check')
    assert 'whole-image-box' not in run(*options).output
    for path in (tmp_path / 'masks').iterdir():
        with rasterio.open(path) as file:
            mask = file.read()
        factories.write_array(path, 1 - mask)
    result = run(*options)
    assert result.exit_code == 0
    assert 'images must rarely be one landslide as a whole, got 4 of 4' in result.output


def test_names_at_fault_do_not_hide_the_other_faults(tmp_path):
    factories.write_mask_folder(tmp_path, count=4)
    (tmp_path / 'images/Image_patch_1_4.tif').rename(tmp_path / 'images/noid.tif')
    (tmp_path / 'images/Other_patch_1_1.tif').write_bytes(b'')
    (tmp_path / 'masks/Mask_patch_1_2.tif').unlink()
    (tmp_path / 'masks/Mask_patch_1_3.tif').unlink()
    (tmp_path / 'masks/Mask_patch_1_3.tif').symlink_to('/etc/hostname')
    (tmp_path / 'masks/Mask_patch_1_1.tif').write_bytes(b'none')
    result = run('--masks', tmp_path, '--source-bands', 'mars', '--check')
    assert result.exit_code == 1
    codes = ['name-without-id'] * 2 + ['leads-out', 'broken-label', 'image-without-label']
    assert [result.output.count(f'({code})') for code in codes] == [2, 2, 1, 1, 2]
    assert 'label-without-image' in result.output  # of the image that lost its id


def test_two_sets_at_once_are_refused(tmp_path):
    result = run('--voc', tmp_path, '--coco', tmp_path)
    assert result.exit_code == 2
    assert 'coco and voc name several data sets' in result.output


def leading_out(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to('/etc/hostname')


def test_links_that_lead_out_do_not_hide_the_other_faults_of_any_format(tmp_path):
    for name in ('v', 'y/images', 'l', 'c/img'):
        image(tmp_path / name / '1.png')
        for number in (2, 3):
            leading_out(tmp_path / name / f'{number}.png')
    xml(tmp_path / 'v' / '1.xml', (5, 1, 5, 9))
    leading_out(tmp_path / 'v' / '4.xml')
    labels_of(tmp_path / 'y', '0 0.5 0.5 0 0.25')
    leading_out(tmp_path / 'y' / 'labels' / '4.txt')
    labelme_json(tmp_path / 'l', shape([1, 1], [1, 9], [1, 5]))
    leading_out(tmp_path / 'l' / '4.json')
    rows = [{'id': n, 'file_name': f'{n}.png'} for n in (1, 2, 3)]
    coco_json(tmp_path / 'c', rows, [{'image_id': 1, 'category_id': 1, 'bbox': [1, 1, 0, 5]}])
    for form, name, links in (
        ('voc', 'v', 3),
        ('yolo', 'y', 3),
        ('labelme', 'l', 3),
        ('coco', 'c', 2),
    ):
        result = run(f'--{form}', tmp_path / name, '--check')
        assert result.exit_code == 1
        found = [result.output.count(f'({code})') for code in ('leads-out', 'wrong-box')]
        assert found == [links, 1], result.output
