from pathlib import Path

from mmlandslide import configs
from mmlandslide.configs import located

SPLIT = 'configs/splits/l4s_train.txt'


def test_a_config_of_the_run_folder_comes_before_the_installed_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(configs, '_SHIPPED', (tmp_path / 'installed/.mim',))
    shipped = tmp_path / 'installed/.mim' / SPLIT
    shipped.parent.mkdir(parents=True)
    shipped.touch()
    assert located(SPLIT) == shipped
    Path(SPLIT).parent.mkdir(parents=True)
    Path(SPLIT).touch()
    assert located(SPLIT) == Path(SPLIT)


def test_only_configs_and_studies_are_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert located('mmlandslide/configs.py') == Path('mmlandslide/configs.py')
    assert located('configs/none.py') == Path('configs/none.py')
