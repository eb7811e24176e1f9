"""Texts of strangers that name a map: PROJ opens whatever file some of them name.

A PROJ string may hold `+proj=tinshift +file=...`, a `+nadgrids=...` or a `+model=...`, and
well-known text may hold such a string (`EXTENSION["PROJ4", ...]`, `METHOD["PROJ-based ..."]`). So
the keys of PROJ strings are compared with a list of those that are numbers and names.
"""

import re

_KEYS = (
    r'proj|zone|lat_[0123bt]|lat_ts|lon_[0123]|lonc|lon_wrap|alpha|gamma|k|k_0|x_0|y_0|a|b|rf?|f|es'
    r'|no_defs|wktext|over|south|no_uoff|no_rot|ellps|datum|towgs84|pm|units|v?to_meter|vunits|axis'
    r'|type|h|sweep|azi|tilt|title'
    r'|o_proj|o_lat_p|o_lon_p|o_alpha|o_lon_c|o_lat_c'
)
#: Steps of a coordinate operation, which are no map: a pipeline, shifts by files, and the like.
_NO_MAP = re.compile(
    r'proj=\s*(?:pipeline|\w*shift|defmodel|deformation|horner|noop|set|pop|push)', re.I
)
#: Grids of files; `@null` is none, as GDAL writes it for web maps.
_NO_GRIDS = re.compile(r'\+nadgrids=@null(?=["\s]|$)')
_ELSEWHERE = re.compile(
    r'parameterfile|proj-based|://|/vsi|\+init|\.(?:gsb|tif|json|gtx)', re.IGNORECASE
)


def is_plain(text: str) -> bool:
    """Return whether a text names a map by numbers and known names alone, and so no file.

    Args:
        text: well-known text, a PROJ string, or an authority's code.
    """
    if _ELSEWHERE.search(text) or _NO_MAP.search(text):
        return False
    keys = re.findall(r'([^\s+=,]+)\s*=', _NO_GRIDS.sub('', text))
    return all(re.fullmatch(_KEYS, key, re.IGNORECASE) for key in keys)
