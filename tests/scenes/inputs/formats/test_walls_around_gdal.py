"""Virtual rasters, metadata and bombs of strangers, against a listener on loopback."""

import random
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.warp
import scene_files

from mmlandslide.errors import LandslideError, SceneError
from mmlandslide.scenes import map_text
from mmlandslide.scenes.inputs.formats import openable as openable_module
from mmlandslide.scenes.inputs.formats.gdal import walls
from mmlandslide.scenes.inputs.formats.openable import Openable
from mmlandslide.scenes.inputs.rasters import RasterFile

HEAD = '<VRTDataset rasterXSize="64" rasterYSize="64"{attributes}>'
BAND = '<VRTRasterBand dataType="Byte" band="1"{attributes}>{inside}</VRTRasterBand>'
SOURCE = '<SimpleSource><{tag}{relative}>{name}</{tag}><SourceBand>1</SourceBand></SimpleSource>'
WMS = (
    '&lt;GDAL_WMS&gt;&lt;Service name="TMS"&gt;&lt;ServerUrl&gt;URL/${z}/${x}/${y}'
    '&lt;/ServerUrl&gt;&lt;/Service&gt;&lt;DataWindow&gt;&lt;SizeX&gt;64&lt;/SizeX&gt;'
    '&lt;SizeY&gt;64&lt;/SizeY&gt;&lt;/DataWindow&gt;&lt;/GDAL_WMS&gt;'
)


def vrt(name, tag='SourceFilename', head='', band='', extra=''):
    relative = ' relativeToVRT="1"' if name == 'a.tif' else ''
    inside = SOURCE.format(tag=tag, relative=relative, name=name) + extra
    return (
        HEAD.format(attributes=head) + BAND.format(attributes=band, inside=inside) + '</VRTDataset>'
    )


def of_map(text):
    return vrt('a.tif').replace('<VRTRasterBand', f'<SRS>{text}</SRS><VRTRasterBand')


GEOGCS = 'GEOGCS["g",DATUM["d",SPHEROID["s",6378137,298]],PRIMEM["G",0],UNIT["degree",0.0174532925199433]'
NETWORK = {
    'plain': lambda url: vrt(f'/vsicurl/{url}/a.tif'),
    'lower case': lambda url: vrt(f'/vsicurl/{url}/a.tif', 'sourcefilename'),
    'a namespace': lambda url: vrt(f'/vsicurl/{url}/a.tif', head=' xmlns="http://x"'),
    'a prefix': lambda url: vrt(
        f'/vsicurl/{url}/a.tif', 'x:SourceFilename', head=' xmlns:x="http://x"'
    ),
    'http': lambda url: vrt(f'{url}/a.tif'),
    'streaming': lambda url: vrt(f'/vsicurl_streaming/{url}/a.tif'),
    'packed': lambda url: vrt(f'/vsizip//vsicurl/{url}/a.zip/a.tif'),
    'hdfs': lambda url: vrt(f'/vsiwebhdfs/{url}/a.tif'),
    'a connection': lambda url: vrt(f'vrt:///vsicurl/{url}/a.tif'),
    'derived': lambda url: vrt(f'DERIVED_SUBDATASET:LOGAMPLITUDE:/vsicurl/{url}/a.tif'),
    'an index': lambda url: vrt(f'GTI:/vsicurl/{url}/a.gpkg'),
    'a map server': lambda url: vrt(WMS.replace('URL', url)),
    'within': lambda url: vrt(
        vrt(f'/vsicurl/{url}/a.tif').replace('<', '&lt;').replace('>', '&gt;')
    ),
}
OTHERS = {
    'raw': HEAD.format(attributes='')
    + BAND.format(
        attributes=' subclass="VRTRawRasterBand"',
        inside='<sourcefilename relativetoVRT="0">SECRET</sourcefilename>'
        '<ImageOffset>0</ImageOffset>'
        '<PixelOffset>1</PixelOffset><LineOffset>8</LineOffset>',
    )
    + '</VRTDataset>',
    'a function': vrt('a.tif', band=' SUBCLASS="VRTDerivedRasterBand"'),
    'options': vrt('a.tif', extra='<OpenOptions><OOI key="NUM_THREADS">1</OOI></OpenOptions>'),
    'an overview': vrt(
        'a.tif', extra='<Overview><SourceFilename>a.tif</SourceFilename></Overview>'
    ),
    'geolocation': vrt('a.tif', extra='<Metadata domain="GEOLOCATION"></Metadata>'),
    'sharpening': vrt('a.tif', head=' subClass="VRTPansharpenedDataset"'),
    'a table': vrt('a.tif').replace('SimpleSource>', 'KernelFilteredSource>'),
    'a map file': of_map('/etc/hosts'),
    'a grid': of_map('+proj=longlat +nadgrids=/etc/hosts'),
    'shifts of a file': of_map('+proj=tinshift +file=/etc/hosts'),
    'a pipeline': of_map('+proj=pipeline +step +proj=tinshift +file = /etc/hosts'),
    'a model': of_map('+proj=defmodel +model=/etc/hosts'),
    'shifts in well-known text': of_map(
        f'{GEOGCS},EXTENSION["PROJ4","proj=tinshift file=/etc/h"]]'
    ),
    'a method of PROJ': of_map(f'{GEOGCS},METHOD["PROJ-based operation method: +proj=x"]]'),
    'an instruction': vrt('a.tif').replace('<SourceBand>', '<?go?><x:y xmlns:x="a"/><SourceBand>'),
}


def write(tmp_path, text):
    scene_files.write_raster(tmp_path / 'a.tif', np.ones((64, 64), np.uint8))
    (tmp_path / 'secret').write_bytes(b'root:x:0:0' * 500)
    (tmp_path / 'a.vrt').write_text(text.replace('SECRET', str(tmp_path / 'secret')))
    return tmp_path / 'a.vrt'


@pytest.mark.parametrize('attack', NETWORK)
def test_no_virtual_raster_reaches_a_network(tmp_path, listener, attack):
    url, asked = listener
    with pytest.raises(LandslideError):
        RasterFile(write(tmp_path, NETWORK[attack](url))).read((1,), (0, 0, 64, 64))
    assert asked == []


@pytest.mark.parametrize('attack', OTHERS)
def test_what_is_not_understood_of_a_virtual_raster_is_refused(tmp_path, attack):
    with pytest.raises(SceneError, match=r'VRT must be a mosaic, .* in .*a\.vrt\. Build it'):
        RasterFile(write(tmp_path, OTHERS[attack])).read((1,), (0, 0, 64, 64))


@pytest.mark.parametrize('name', ['{}/secret', '/proc/self/mem', 'x' * 5000])
def test_no_byte_of_a_file_that_is_no_raster_is_told(tmp_path, name):
    path = write(tmp_path, vrt(name.format(tmp_path)))
    with pytest.raises(LandslideError, match='raster file must') as caught:
        RasterFile(path).read((1,), (0, 0, 8, 8))
    assert 'root:x' not in str(caught.value)


@pytest.mark.parametrize('attack', NETWORK)
def test_the_second_wall_stands_where_the_first_is_taken_away(
    tmp_path, listener, attack, monkeypatch
):
    url, asked = listener
    path = write(tmp_path, NETWORK[attack](url))
    monkeypatch.setattr(openable_module, '_virtual', lambda *a: Openable('VRT', str(path), (path,)))
    with suppress(LandslideError):
        RasterFile(path).read((1,), (0, 0, 64, 64))
    assert asked == []


@pytest.mark.parametrize('attack', ['plain', 'http', 'a map server', 'hdfs'])
def test_without_both_walls_the_attack_succeeds(tmp_path, listener, attack):
    url, asked = listener
    path = write(tmp_path, NETWORK[attack](url))
    with suppress(rasterio.errors.RasterioError), rasterio.open(path, driver='VRT') as file:
        file.read(1)
    assert asked


def test_bytes_of_any_file_are_pixels_without_the_first_wall_alone(tmp_path):
    path = write(tmp_path, OTHERS['raw'])
    with rasterio.open(path, driver='VRT') as file:
        assert bytes(file.read(1)[0, :8]) == b'root:x:0'


@pytest.mark.parametrize(
    ('domain', 'items'),
    [('OVERVIEWS', ('OVERVIEW_FILE',)), ('GEOLOCATION', ('X_DATASET', 'Y_DATASET'))],
)
def test_a_geotiff_leads_to_no_other_file(tmp_path, listener, domain, items):
    url, asked = listener
    path = scene_files.write_raster(tmp_path / 'a.tif', np.ones((512, 512), np.uint8))
    with rasterio.open(path, 'r+') as file:
        file.update_tags(ns=domain, **dict.fromkeys(items, f'/vsicurl/{url}/a.tif'))
    with pytest.raises(SceneError, match=rf'got {items[0]} in its metadata'):
        RasterFile(path).overview(1, (64, 64))
    assert asked == []


def test_a_new_thread_does_not_bring_the_drivers_back_while_another_reads():
    """Rasterio before 1.4.3 does: `pyproject.toml` asks for later ones."""
    with walls():
        with rasterio.Env() as env:
            within = set(env.drivers())
        thread = threading.Thread(target=lambda: rasterio.Env().__enter__())
        thread.start()
        thread.join()
        with rasterio.Env() as env:
            assert set(env.drivers()) == within


def test_drivers_are_as_they_were_after_a_read(tmp_path):
    path = scene_files.write_raster(tmp_path / 'a.tif', np.ones((8, 8), np.uint8))
    with rasterio.Env() as env:
        before = list(env.drivers())
    RasterFile(path).read((1,), (0, 0, 8, 8))
    with rasterio.Env() as env:
        assert list(env.drivers()) == before
    with walls(), rasterio.Env() as env:
        assert set(env.drivers()) == {'GTiff', 'JP2OpenJPEG', 'VRT', 'MEM'}


@pytest.mark.parametrize(
    'how', [{'tiled': True, 'blockxsize': 32768, 'blockysize': 32768}, {'blockysize': 20000}]
)
def test_a_block_that_fills_the_memory_is_refused_before_it_is_read(tmp_path, how):
    path, side = tmp_path / 'a.tif', 40000
    profile = {'driver': 'GTiff', 'dtype': 'uint8', 'count': 1, 'height': side, 'width': side}
    with rasterio.open(path, 'w', compress='deflate', sparse_ok=True, **profile, **how):
        pass
    with pytest.raises(SceneError, match=r'blocks of at most 512 MiB, got .* px.*TILED=YES'):
        RasterFile(path).read((1,), (0, 0, 8, 8))


def test_a_jpeg_2000_tile_that_fills_the_memory_is_refused_before_it_is_read(tmp_path):
    path = scene_files.write_raster(
        tmp_path / 'a.jp2', np.ones((64, 64), np.uint8), driver='JP2OpenJPEG'
    )
    content = bytearray(path.read_bytes())
    start = content.index(b'\xff\x4f\xff\x51')
    for at in (8, 12, 24, 28):  # width and height of the picture and of its tiles
        content[start + at : start + at + 4] = (60000).to_bytes(4, 'big')
    path.write_bytes(content)
    with pytest.raises(SceneError, match=r'a tile of 60000 x 60000 px, 1 bands'):
        RasterFile(path).read((1,), (0, 0, 8, 8))


def test_virtual_rasters_that_multiply_each_other_are_refused(tmp_path):
    scene_files.write_raster(tmp_path / '0.tif', np.ones((64, 64), np.uint8))
    source = SOURCE.format(tag='SourceFilename', relative=' relativeToVRT="1"', name='{}')
    for level in range(1, 4):
        name = '0.tif' if level == 1 else f'{level - 1}.vrt'
        inside = source.format(name) * 400
        text = HEAD.format(attributes='') + BAND.format(attributes='', inside=inside)
        (tmp_path / f'{level}.vrt').write_text(f'{text}</VRTDataset>')
    with pytest.raises(SceneError, match='too many bytes or levels'):
        RasterFile(tmp_path / '3.vrt').read((1,), (0, 0, 8, 8))


def mutated(text, rng):
    """Return a virtual raster with pieces of attacks in it, cut, doubled or put elsewhere."""
    pieces = [*OTHERS.values(), *(each('http://127.0.0.1:9') for each in NETWORK.values()), text]
    for _ in range(rng.randint(0, 3)):
        other, at = rng.choice(pieces), rng.randrange(len(text) + 1)
        start = rng.randrange(len(other))
        piece = other[start : start + rng.randint(1, 60)]
        kind = rng.randrange(4)
        if kind == 0:
            text = text[:at] + piece + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + rng.randint(1, 20) :]
        elif kind == 2:
            text = text[:at] + text[at : at + 20].swapcase() + text[at + 20 :]
        else:
            tags = [
                tag for tag in ('SimpleSource', 'SourceBand', 'dataType', 'band') if tag in text
            ]
            text = (
                text.replace(rng.choice(tags), rng.choice(['Overview', 'x:MDI', 'subClass', '']), 1)
                if tags
                else text
            )
    return text


@pytest.mark.parametrize('count', [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mutated_virtual_rasters_are_read_or_refused(tmp_path, count):
    good = vrt('a.tif')
    path, read = write(tmp_path, good), 0
    assert RasterFile(path).read((1,), (0, 0, 64, 64)).all()
    for seed in range(count):
        path.write_text(mutated(good, random.Random(seed)))
        with suppress(LandslideError):
            file = RasterFile(path)
            file.read((1,), (0, 0, 8, 8))
            assert {each.name for each in file.files} <= {'a.vrt', 'a.tif'}
            read += 1
    assert 0 < read < count


def test_virtual_rasters_of_gdal_s_own_tools_are_read(tmp_path):
    scene_files.write_raster(tmp_path / 'a.tif', np.full((64, 64), 7, np.uint8))
    warped = (
        '<VRTDataset rasterXSize="64" rasterYSize="64" subClass="VRTWarpedDataset">'
        '<SRS>EPSG:32633</SRS>'
        '<GeoTransform>399960, 10, 0, 5000040, 0, -10</GeoTransform><Metadata><MDI '
        'key="AREA">x</MDI>'
        '</Metadata><VRTRasterBand dataType="Byte" band="1" subClass="VRTWarpedRasterBand">'
        '<ColorInterp>Gray</ColorInterp></VRTRasterBand><BlockXSize>64</BlockXSize><BlockYSize>64'
        '</BlockYSize><GDALWarpOptions><WarpMemoryLimit>6.7e+07</WarpMemoryLimit><ResampleAlg>'
        'NearestNeighbour</ResampleAlg><WorkingDataType>Byte</WorkingDataType><Option '
        'name="INIT_DEST">0'
        '</Option><SourceDataset relativeToVRT="1">a.tif</SourceDataset><Transformer>'
        '<GenImgProjTransformer><SrcGeoTransform>399960,10,0,5000040,0,-10</SrcGeoTransform>'
        '<SrcInvGeoTransform>-39996,.1,0,500004,0,-.1</SrcInvGeoTransform><DstGeoTransform>'
        '399960,10,0,5000040,0,-10</DstGeoTransform><DstInvGeoTransform>-39996,.1,0,500004,0,-.1'
        '</DstInvGeoTransform></GenImgProjTransformer></Transformer><BandList><BandMapping '
        'src="1" dst="1"/>'
        '</BandList></GDALWarpOptions></VRTDataset>'
    )
    (tmp_path / 'w.vrt').write_text(warped)
    assert (RasterFile(tmp_path / 'w.vrt').read((1,), (0, 0, 64, 64)) == 7).all()


@pytest.mark.parametrize('code', [3857, 32633, 27700, 2056, 3035, 4326, 3413, 31256])
def test_maps_as_gdal_writes_them_are_read(tmp_path, code):
    crs = rasterio.CRS.from_epsg(code)
    for text in (crs.to_wkt(), crs.to_wkt(version='WKT2_2019'), crs.to_proj4()):
        assert map_text.is_plain(text)
    path = write(tmp_path, of_map(crs.to_wkt()))
    assert RasterFile(path).own_frame.crs == crs


def test_without_the_list_of_keys_proj_opens_the_file_that_a_map_names(tmp_path):
    (tmp_path / 'shifts').write_text('{"no": "triangulation"}')
    text = f'{GEOGCS},EXTENSION["PROJ4","+proj=tinshift +file={tmp_path}/shifts"]]'
    with pytest.raises(rasterio._err.CPLE_BaseError, match='tinshift: '):
        rasterio.warp.transform(text, 'EPSG:32633', [15], [45])


def test_files_beside_a_raster_are_not_followed(tmp_path, listener):
    url, asked = listener
    path = scene_files.write_raster(tmp_path / 'a.tif', np.ones((512, 512), np.uint8))
    Path(f'{path}.aux.xml').write_text(
        f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI '
        f'key="OVERVIEW_FILE">/vsicurl/{url}/o.ovr</MDI>'
        '</Metadata></PAMDataset>'
    )
    RasterFile(path).overview(1, (64, 64))
    assert asked == []
