"""Changes that know a format.

They keep its frame (lengths, checksums) whole, so that the reader gets to the field they set.
"""

import hashlib
import io
import json
import re
import struct
import warnings
import zipfile
import zlib
from random import Random
from typing import Any

import onnx
import yaml
from stress.fuzz.mutations import BLIND, Edit, number

from mmlandslide.datasets.storage.store_index import MAGIC, TRAILER

WORDS = (
    *(
        '',
        ' ',
        '0',
        '-1',
        '1',
        '1.5',
        '-0.0',
        'nan',
        '-inf',
        'Infinity',
        '1e400',
        '1e-400',
        '1_0',
        '0x10',
        '\u0663',
        '\u00b2',
    ),
    *(
        '9' * 400,
        '9' * 5000,
        'x' * 9000,
        '../../etc/passwd',
        '/etc/passwd',
        'train/1',
        '\x1b[31m',
        '\u202e',
        'a\rb',
        '[bold]',
        '%s',
        '<u2',
    ),
)
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        3,
        0.5,
        2**15,
        2**31,
        2**63,
        2**64,
        10**30,
        1e308,
        float('nan'),
        float('inf'),
        -1e-320,
    ),
    *(
        [],
        {},
        [[]],
        [0],
        [1, 2],
        [-1, -1, -1],
        [2**31, 2**31, 4],
        {'a': 1},
        '<u2',
        '<f4',
        '<f8',
        '|O',
        '<u9',
        'F64',
        'BOOL',
    ),
    *WORDS,
)


def edit_json(data: bytes, rng: Random) -> bytes:
    """Change one value, key or item of a JSON text, or bury it in brackets."""
    if rng.random() < 0.05:
        return b'[' * 50000 + data + b']' * 50000
    return json.dumps(_changed(json.loads(data), rng)).encode()


def _changed(value: Any, rng: Random) -> Any:
    """Return a JSON value with one place of it changed."""
    if not value or not isinstance(value, dict | list) or rng.random() < 0.1:
        return rng.choice(VALUES)
    copy: Any = value.copy()
    place = rng.choice(list(copy)) if isinstance(copy, dict) else rng.randrange(len(copy))
    drawn = rng.random()
    if drawn < 0.08:
        del copy[place]
    elif drawn < 0.16 and isinstance(copy, dict):
        copy[rng.choice(WORDS)] = copy.pop(place)
    elif drawn < 0.16:
        copy.insert(place, copy[place])
    else:
        copy[place] = _changed(copy[place], rng)
    return copy


def edit_store(data: bytes, rng: Random) -> bytes:
    """Change a packed store's index and sign it anew; sometimes sign a changed length."""
    _, length, _ = TRAILER.unpack(data[-TRAILER.size :])
    start = len(data) - TRAILER.size - length
    text = edit_json(data[start : -TRAILER.size], rng)
    length = len(text) if rng.random() < 0.9 else int.from_bytes(number(rng, 8), 'little')
    signed: bytes = TRAILER.pack(MAGIC, length, hashlib.blake2b(text, digest_size=16).digest())
    return data[:start] + text + signed


def edit_safetensors(data: bytes, rng: Random) -> bytes:
    """Change the header of a safetensors file."""
    (length,) = struct.unpack_from('<Q', data)
    text = edit_json(data[8 : 8 + length], rng)
    stated = struct.pack('<Q', len(text)) if rng.random() < 0.9 else number(rng, 8)
    return stated + text + data[8 + length :]


def edit_lines(data: bytes, rng: Random) -> bytes:
    """Change, repeat, move or drop a line, or change what parts the lines."""
    lines = data.split(b'\n')
    place = rng.randrange(len(lines))
    drawn = rng.random()
    if drawn < 0.5:
        lines[place] = rng.choice(WORDS).encode('utf-8', 'surrogatepass') + (
            lines[place] if rng.random() < 0.5 else b''
        )
    elif drawn < 0.7:
        lines.insert(rng.randrange(len(lines) + 1), lines[place])
    elif drawn < 0.8:
        del lines[place]
    return rng.choice(
        (b'\n', b'\n', b'\n', b'\r', b'\r\n', b'\x0b', b'\xc2\x85', b'\x00', b'')
    ).join(lines)


def edit_xml(data: bytes, rng: Random) -> bytes:
    """Change text or name of an element, repeat or drop it, or bury the document."""
    drawn = rng.random()
    if drawn < 0.08:
        depth = rng.choice((100, 5000, 60000))
        return b'<a>' * depth + data + b'</a>' * depth
    if drawn < 0.16:
        return rng.choice(PROLOGUES) + data
    found = rng.choice(list(re.finditer(rb'<(\w+)>([^<]*)</\1>|<(\w+)>(?s:.*?)</\3>|<(\w+)', data)))
    start, stop = found.span(2) if found[1] and drawn < 0.7 else found.span()
    word = rng.choice(WORDS).encode()
    new = (
        word if drawn < 0.8 else b'' if drawn < 0.9 else data[start:stop] * rng.choice((2, 3, 300))
    )
    return data[:start] + new + data[stop:]


PROLOGUES = (
    b'<?xml version="1.0" encoding="utf-16"?>',
    b'<?xml version="1.0" encoding="utf-7"?>',
    b'<?xml version="1.0" encoding="rot13"?>',
    b'<?xml version="1.0" encoding="idna"?>',
    b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]>',
    b'<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    b'\xff\xfe',
    b'\xef\xbb\xbf',
)


def edit_pickle(data: bytes, rng: Random) -> bytes:
    """Change the argument of an opcode that carries a number, a length or a name."""
    places = [found.start() for found in re.finditer(rb'[JKMXU\x8a\x8c\x80chqr]', data[:65536])]
    place = rng.choice(places)
    width = {b'K': 1, b'M': 2, b'J': 4, b'X': 4}.get(data[place : place + 1], 1)
    return data[: place + 1] + number(rng, width, 'little') + data[place + 1 + width :]


def edit_zip(data: bytes, rng: Random) -> bytes:
    """Change a member of an archive, or its name, leave it out, repeat or compress it.

    Checksums are made right.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    pickles = [index for index, (name, _) in enumerate(members) if name.endswith('.pkl')]
    place = rng.choice(pickles if pickles and rng.random() < 0.6 else range(len(members)))
    name, content = members[place]
    drawn = rng.random()
    if drawn < 0.8:
        change = edit_pickle if name.endswith('.pkl') and rng.random() < 0.6 else rng.choice(BLIND)
        members[place] = (name, change(content, rng))
    elif drawn < 0.9:
        members[place] = (
            rng.choice((rng.choice(WORDS)[:999], f'../{name}', name.upper(), members[0][0])),
            content,
        )
    else:
        members[place : place + 1] = [(name, content)] * rng.choice((0, 2))
    changed, form = io.BytesIO(), rng.choice((zipfile.ZIP_STORED,) * 4 + (zipfile.ZIP_DEFLATED,))
    with warnings.catch_warnings(), zipfile.ZipFile(changed, 'w', form) as archive:
        warnings.simplefilter('ignore')  # of a name that is there twice
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name or 'archive/x'), content)
    return changed.getvalue()


def edit_hdf5(data: bytes, rng: Random) -> bytes:
    """Change a field that looks like a size, a count or an address.

    HDF5 keeps them as small little-endian numbers.
    """
    for _ in range(64):
        place = rng.randrange(0, max(len(data) - 8, 1))
        width = rng.choice((2, 4, 8))
        if 0 < int.from_bytes(data[place : place + width], 'little') <= max(len(data), 4096):
            near = int.from_bytes(data[place : place + width], 'little') + rng.choice(
                (-8, -1, 1, 8)
            )
            field = (
                number(rng, width, 'little')
                if rng.random() < 0.7
                else (near % 256**width).to_bytes(width, 'little')
            )
            return data[:place] + field + data[place + width :]
    return data


def edit_tiff(data: bytes, rng: Random) -> bytes:
    """Change tag, type, count or value of an entry of the first directory."""
    order = '<' if data[:2] == b'II' else '>'
    big = struct.unpack_from(f'{order}H', data, 2)[0] == 43
    place, pointer, counter, size = (8, 'Q', 'Q', 20) if big else (4, 'I', 'H', 12)
    (start,) = struct.unpack_from(f'{order}{pointer}', data, place)
    (count,) = struct.unpack_from(f'{order}{counter}', data, start)
    entry = start + struct.calcsize(counter) + size * rng.randrange(count)
    offset, width = rng.choice(
        ((0, 2), (2, 2), (4, 4), (8, 4), (8, 2), (size - 4, 4), (size - 8, 8))
    )
    field = number(rng, width, 'little' if order == '<' else 'big')
    return data[: entry + offset] + field + data[entry + offset + width :]


def edit_npy(data: bytes, rng: Random) -> bytes:
    """Change a number or a word of an array's header; its length is made right."""
    (length,) = struct.unpack_from('<H', data, 8)
    text = data[10 : 10 + length]
    found = rng.choice(list(re.finditer(rb"\d+|'[^']*'|True|False|[(){},:]", text)))
    text = text[: found.start()] + rng.choice(HEADER_WORDS) + text[found.end() :]
    return data[:8] + struct.pack('<H', len(text) % 2**16) + text + data[10 + length :]


HEADER_WORDS = (
    *(
        b'-1',
        b'0',
        b'1',
        b'2',
        b'9' * 20,
        b'9' * 5000,
        b'()',
        b'1,' * 40,
        b'True',
        b'None',
        b'{',
        b'(' * 300,
    ),
    *(
        b"'|O'",
        b"'<U9'",
        b"'V8'",
        b"'<M8'",
        b"'>c16'",
        b"'<f2'",
        b"'<f16'",
        b"[('a','<f4')]",
        b"'|b1'",
        b"'|S0'",
    ),
)


def edit_png(data: bytes, rng: Random) -> bytes:
    """Change, repeat or drop a chunk; its checksum is made right."""
    chunks, place = [], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from('>I', data, place)
        chunks.append((data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    index = rng.randrange(len(chunks))
    kind, content = chunks[index]
    if rng.random() < 0.8:
        inside = (
            zlib.compress(rng.choice(BLIND)(zlib.decompress(content), rng))
            if kind == b'IDAT' and rng.random() < 0.5
            else None
        )
        chunks[index] = (kind, inside or rng.choice(BLIND)(content, rng))
    else:
        chunks[index : index + 1] = [(kind, content)] * rng.choice((0, 2))
    packed = (
        struct.pack('>I', len(c)) + k + c + struct.pack('>I', zlib.crc32(k + c)) for k, c in chunks
    )
    return data[:8] + b''.join(packed)


def edit_jpeg(data: bytes, rng: Random) -> bytes:
    """Change a number in the first bytes of a segment: sizes, counts, table numbers."""
    marker = rng.choice([found.start() for found in re.finditer(rb'\xff[\xc0-\xfe]', data)])
    field = number(rng, rng.choice((1, 2)), 'big')
    place = marker + rng.randrange(1, 20)
    return data[:place] + field + data[place + len(field) :]


def edit_block(data: bytes, rng: Random) -> bytes:
    """Change the header or the values of a finished block, and sign it anew."""
    arrays = rng.choice((edit_npy, *BLIND))(data[:-DIGEST_BYTES], rng)
    return arrays + hashlib.blake2b(arrays, digest_size=DIGEST_BYTES).digest()


DIGEST_BYTES = 16


def edit_yaml(data: bytes, rng: Random) -> bytes:
    """Change one value or key of a YAML text, or lay a bomb of aliases beside it."""
    if rng.random() < 0.05:
        levels = ''.join(f'- &a{n} [{", ".join([f"*a{n - 1}"] * 9)}]\n' for n in range(1, 9))
        return data + f'\nbomb:\n- &a0 [x]\n{levels}'.encode()
    changed = _changed(yaml.safe_load(data), rng)
    return yaml.safe_dump(changed, allow_unicode=rng.random() < 0.5).encode('utf-8', 'replace')


def edit_onnx(data: bytes, rng: Random) -> bytes:
    """Change a node, a weight, a shape, a name or the metadata of a model."""
    model = onnx.load_model_from_string(data)
    rng.choice(_ONNX_EDITS)(model, rng)
    return model.SerializeToString()


def _edit_operator(model: onnx.ModelProto, rng: Random) -> None:
    node = rng.choice(model.graph.node)
    node.op_type = rng.choice(OPERATORS)
    node.domain = rng.choice(('', '', 'ai.onnx', 'com.microsoft'))


def _edit_weight(model: onnx.ModelProto, rng: Random) -> None:
    tensor = rng.choice(model.graph.initializer)
    if rng.random() < 0.5:
        tensor.raw_data = rng.choice(BLIND)(tensor.raw_data, rng)
        tensor.data_type = rng.choice((tensor.data_type, rng.randrange(24)))
    else:
        del tensor.dims[:]
        tensor.dims.extend(rng.choice(DIMS))


def _edit_wire(model: onnx.ModelProto, rng: Random) -> None:
    node = rng.choice(model.graph.node)
    names = node.input if rng.random() < 0.6 else node.output
    names[rng.randrange(len(names))] = rng.choice(('', 'tiles', 'boxes', *WORDS))[:99]


def _edit_metadata(model: onnx.ModelProto, rng: Random) -> None:
    prop = rng.choice(model.metadata_props)
    prop.value = rng.choice((json.dumps(rng.choice(VALUES)), rng.choice(WORDS)))


def _edit_shape(model: onnx.ModelProto, rng: Random) -> None:
    for value in rng.choice((model.graph.input, model.graph.output)):
        for side in value.type.tensor_type.shape.dim:
            side.dim_value = rng.choice((0, 1, 2, 8, 2**20, 2**62))


def _edit_attribute(model: onnx.ModelProto, rng: Random) -> None:
    for attribute in rng.choice(model.graph.node).attribute:
        attribute.i, attribute.type = rng.choice((-1, 2**40)), rng.randrange(9)
        del attribute.ints[:]
        attribute.ints.extend(rng.choice(DIMS))


_ONNX_EDITS = (
    _edit_operator,
    _edit_weight,
    _edit_weight,
    _edit_wire,
    _edit_metadata,
    _edit_shape,
    _edit_attribute,
)
OPERATORS = (
    'Identity',
    'ConstantOfShape',
    'NonZero',
    'Tile',
    'Resize',
    'Range',
    'Gather',
    'Loop',
    'Reshape',
    'EyeLike',
    'RandomNormal',
    'x' * 300,
    '\x1b[31m',
)
DIMS = ((), (0,), (1,), (-1,), (2**40,), (2**31, 4), (1, 1), (3, 3, 3, 3), (2**62, 2**62))


EDITS: dict[str, Edit] = {
    'h5': edit_hdf5,
    'tif': edit_tiff,
    'npy': edit_npy,
    'png': edit_png,
    'jpg': edit_jpeg,
    'xml': edit_xml,
    'pth': edit_zip,
    'legacy': edit_pickle,
    'safetensors': edit_safetensors,
    'store': edit_store,
    'json': edit_json,
    'lines': edit_lines,
    'yaml': edit_yaml,
    'onnx': edit_onnx,
    'block': edit_block,
}
