"""What a checkpoint file claims, checked before anything is allocated or run.

`weights_only` keeps a checkpoint from running code. It does not keep it from filling the memory (a
compressed record, a `bytearray` of 10^12, an array of 10^12 objects), from crashing the process (a
dict key nested a million deep overflows C's stack when it is hashed) or from sending control
characters to the terminal of whoever prints its keys. So a pickle's opcodes are disassembled first,
and what was read is looked at before it is used.
"""

import pickletools
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from mmlandslide.errors import CheckpointError

TORCH_ZIP, TORCH_LEGACY, SAFETENSORS = 'torch zip', 'torch legacy', 'safetensors'

#: Bytes of a pickle or of a safetensors header; a detector of 300 M parameters with its optimiser
#: has 0.3 MB.
MAX_INDEX_BYTES = 2**26
#: Each is an object of up to 216 bytes.
MAX_OPCODES = 2_000_000
#: Tuples that a pickled value holds, counted once for each way to reach them.
MAX_TUPLES = 10_000
#: In one dict.
MAX_KEYS = 100_000
#: Characters of a key.
MAX_KEY_LENGTH = 500

_REMEDY = 'Take the file from its publisher again, or as safetensors'
_LEGACY_PICKLES = (
    5  # magic number, version, system, content, order of the storages; then the storages' bytes
)
_BUILTINS = ('builtins', '__builtin__')  # Python 2 wrote the latter
_NUMPY = ('numpy._core.multiarray', 'numpy.core.multiarray')
#: What a pickle may name, as (module, name). Less than torch lets through: nothing here allocates
#: what the file does not hold.
_NAMES = {
    ('collections', 'OrderedDict'),
    ('collections', 'Counter'),
    ('_codecs', 'encode'),
    ('torch', 'Size'),
    ('torch', 'device'),
    ('torch', 'Tensor'),
    ('torch.nn.parameter', 'Parameter'),
    ('torch.storage', 'UntypedStorage'),
    ('torch.storage', 'TypedStorage'),
    *(
        ('torch._utils', f'_rebuild_{kind}')
        for kind in ('tensor', 'tensor_v2', 'parameter', 'parameter_with_state')
    ),
    *((module, name) for module in _BUILTINS for name in ('set', 'complex', 'getattr')),
    ('mmengine.logging.history_buffer', 'HistoryBuffer'),
    ('numpy', 'ndarray'),
    ('numpy', 'dtype'),
    (
        'argparse',
        'Namespace',
    ),  # MAE's authors keep their command line so; it holds attributes and does nothing
    *((module, name) for module in _NUMPY for name in ('_reconstruct', 'scalar')),
}


def kind(path: Path) -> str:
    """Return the container of a checkpoint: `TORCH_ZIP`, `TORCH_LEGACY` or `SAFETENSORS`.

    Raises:
        CheckpointError: the file is none of them.
    """
    if path.suffix == '.safetensors':
        return SAFETENSORS
    with path.open('rb') as file:
        start = file.read(40)
    if start.startswith(b'PK\x03\x04'):
        return TORCH_ZIP
    if start.startswith(b'\x80'):
        # A tar may begin with pickles, as the name of its first member; torch would read the tar.
        if tarfile.is_tarfile(path):
            raise _mismatch('be a file of torch or safetensors', 'a tar archive', path)
        return TORCH_LEGACY
    raise _mismatch('be a file of torch or safetensors', f'one that starts with {start!r}', path)


def refuse_bombs(path: Path) -> None:
    """Refuse a checkpoint that would exhaust memory or crash its reader.

    Args:
        path: of a file of any of the three kinds.

    Raises:
        CheckpointError: the file is of no kind; a record is compressed or of a size that the file
            does not have; the index is absurdly long; a pickle names something that no state dict
            needs, or nests tuples absurdly.
        OSError, zipfile.BadZipFile, ValueError: the file is broken.
    """
    form = kind(path)
    if form == SAFETENSORS:
        _refuse_header(path)
        return
    stream = BytesIO(_zip_index(path) if form == TORCH_ZIP else _start(path, MAX_INDEX_BYTES))
    for _ in range(1 if form == TORCH_ZIP else _LEGACY_PICKLES):
        _refuse_opcodes(stream, path)


def refuse_claims(content: Mapping[str, Any], path: Path) -> None:
    """Refuse a checkpoint that claims more values than its file holds, or has unprintable keys.

    Args:
        content: of the checkpoint; nothing in it has been computed with.
        path: of its file.

    Raises:
        CheckpointError: absurdly many keys, a key that is absurdly long or holds control
            characters, a tensor of more values than its storage, or storages of more bytes than the
            file.
    """
    held: dict[int, int] = {}
    for part in parts(content):
        if isinstance(part, Mapping):
            _refuse_keys(part, path)
            continue
        storage = part.untyped_storage()
        held[storage.data_ptr()] = storage.nbytes()
        if part.numel() * part.element_size() > storage.nbytes():
            raise _mismatch(
                'hold every value of its tensors',
                f'shape {tuple(part.shape)} over {storage.nbytes()} bytes',
                path,
            )
    total, size = sum(held.values()), path.stat().st_size
    if total > size:
        raise _mismatch(f'hold no more than its {size} bytes', f'tensors of {total} bytes', path)


def parts(content: Any) -> Iterator[Any]:
    """Yield the mappings and tensors in a nested object, each once, without recursion."""
    from torch import Tensor

    waiting, seen = [content], set()
    while waiting:
        part = waiting.pop()
        if not isinstance(part, Mapping | list | tuple | set | Tensor) or id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Mapping | Tensor):
            yield part
        if not isinstance(part, Tensor):
            waiting.extend(part.values() if isinstance(part, Mapping) else part)


def _start(path: Path, count: int) -> bytes:
    with path.open('rb') as file:
        return file.read(count)


def _refuse_header(path: Path) -> None:
    """Refuse a safetensors file whose header is absurdly long.

    Its reader checks every shape against the file's size.
    """
    claimed = int.from_bytes(_start(path, 8), 'little')
    if claimed > min(MAX_INDEX_BYTES, path.stat().st_size):
        raise _mismatch('have a header that it holds', f'one of {claimed} bytes', path)


def _zip_index(path: Path) -> bytes:
    """Return the pickle in a zip whose records are checked to lie in the file as they are."""
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
        compressed = [
            record.filename for record in records if record.compress_type != zipfile.ZIP_STORED
        ]
        if compressed:
            raise _mismatch(
                'keep its records as they are',
                f'{len(compressed)} compressed, such as {compressed[0]!r}',
                path,
            )
        total, size = sum(record.file_size for record in records), path.stat().st_size
        if total > size:
            raise _mismatch(
                f'hold no more than its {size} bytes', f'records of {total} bytes', path
            )
        index = [record for record in records if record.filename.rsplit('/', 1)[-1] == 'data.pkl']
        if len(index) != 1 or len({record.filename for record in records}) != len(records):
            raise _mismatch(
                'have one record `data.pkl` and none twice', f'{len(index)} of it', path
            )
        if index[0].file_size > MAX_INDEX_BYTES:
            raise _mismatch(
                f'have an index of at most {MAX_INDEX_BYTES} bytes', index[0].file_size, path
            )
        return archive.read(index[0])


def _refuse_opcodes(stream: BytesIO, path: Path) -> None:
    """Disassemble one pickle.

    Follow only which tuples hold which, for that decides what hashing one costs.
    """
    stack: list[Any] = []
    memo: dict[int, int] = {}
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if count > MAX_OPCODES:
            raise _mismatch(f'have an index of at most {MAX_OPCODES} opcodes', 'more', path)
        if opcode.name == 'GLOBAL' and not _named(str(argument)):
            raise _foreign(str(argument).replace(' ', '.'), path)
        if (
            opcode.name == 'STACK_GLOBAL'
        ):  # of pickle's protocol 4, which torch neither writes nor reads
            raise _mismatch(
                'hold tensors and plain types only', repr('STACK_GLOBAL, which names code'), path
            )
        tuples = _step(opcode, argument, stack, memo)
        if tuples > MAX_TUPLES:
            raise _mismatch(f'nest at most {MAX_TUPLES} tuples', 'more', path)


def _named(argument: str) -> bool:
    """Return whether a pickle may name `module name`.

    A storage or a dtype of torch, or one of `_NAMES`.
    """
    import torch

    module, _, name = argument.partition(' ')
    if module in ('torch', 'torch.cuda') and name.endswith('Storage'):
        return True
    if module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype):
        return True
    return (module, name) in _NAMES


def _step(opcode: Any, argument: Any, stack: list[Any], memo: dict[int, int]) -> int:
    """Apply an opcode to a stack of tuple counts (`None` is a mark); return the top's count."""
    if 'PUT' in opcode.name:
        memo[argument] = stack[-1]
        return stack[-1] or 0
    before = opcode.stack_before
    taken = []
    if pickletools.markobject in before:
        while (value := stack.pop()) is not None:
            taken.append(value)
        before = before[: before.index(pickletools.markobject)]
    taken += [stack.pop() or 0 for _ in before]
    made = [None if kind is pickletools.markobject else 0 for kind in opcode.stack_after]
    if 'TUPLE' in opcode.name:
        made = [1 + sum(taken)]
    elif 'GET' in opcode.name:
        made = [memo[argument]]
    stack.extend(made)
    return (stack[-1] if stack else 0) or 0


def _refuse_keys(mapping: Mapping[Any, Any], path: Path) -> None:
    if len(mapping) > MAX_KEYS:
        raise _mismatch(f'have at most {MAX_KEYS} keys in a dict', len(mapping), path)
    for key in mapping:
        if isinstance(key, str) and (len(key) > MAX_KEY_LENGTH or not key.isprintable()):
            shown = f'{key[:40]!r} of {len(key)}'
            raise _mismatch(
                f'have keys of at most {MAX_KEY_LENGTH} printable characters', shown, path
            )


def _foreign(named: str, path: Path) -> Exception:
    """Return the error of what a pickle may not name.

    A kind of tensor that few can read, or code.
    """
    if not named.startswith('torch._utils._rebuild_'):
        return _mismatch('hold tensors and plain types only', repr(f'GLOBAL {named}'), path)
    remedy = 'Cast sparse, quantised, float8 and similar tensors to dense float32 and save again'
    return CheckpointError.mismatch(
        'checkpoint', 'hold dense tensors of plain numbers only', repr(named), path, remedy
    )


def _mismatch(expected: str, got: object, path: Path) -> Exception:
    return CheckpointError.mismatch('checkpoint', expected, got, path, _REMEDY)
