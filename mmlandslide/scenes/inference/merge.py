"""Merging of the detections of all windows, independent of the order of the windows.

Pairs of boxes that intersect are found with an STR-tree, a share of the boxes at a time: time grows
with the number of such pairs and memory with the number of detections, not with its square.
"""

from collections.abc import Callable, Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

from mmlandslide.errors import ConfigError
from mmlandslide.scenes.inference.detections import Detections
from mmlandslide.scenes.inference.grid import Grid

#: Boxes per query of the tree.
_CHUNK = 8192
#: IoU above which a box that its window does not own shows the object of an owned box.
SAME_IOU = 0.5
#: Distance to its window's edge, in px, below which a box is taken for cut off there.
EDGE_PX = 2.0


def merge(
    found: Detections, grid: Grid, method: str = 'nms', iou_thr: float = 0.5, join: bool = False
) -> Detections:
    """Merge the detections of all windows.

    Args:
        found: in any order.
        grid: that the windows are of.
        method: `nms` keeps the best of boxes that overlap, `wbf` replaces them by their weighted
            mean.
        iou_thr: IoU above which two boxes show one object.
        join: first stitch the parts of objects that windows have cut, see `stitch_cut_objects`.

    Returns:
        Detections sorted by descending score, see `Detections.sorted_by_score`.

    Raises:
        ConfigError: no such method, or no such IoU.
    """
    if method not in METHODS:
        raise ConfigError.mismatch(
            'merge',
            f'be one of {list(METHODS)}',
            repr(method),
            'the detection',
            'Name one of those',
        )
    if not 0 <= iou_thr <= 1:
        raise ConfigError.mismatch(
            'IoU threshold', 'lie from 0 to 1', iou_thr, 'the detection', 'Pass for example 0.5'
        )
    found = drop_unowned(found.sorted_by_score(), grid)
    if join:
        found = stitch_cut_objects(found, grid).sorted_by_score()
    return METHODS[method](found, iou_thr).sorted_by_score()


def drop_unowned(found: Detections, grid: Grid) -> Detections:
    """Drop detections outside their window's core, unless the owning window has missed the object.

    It has not missed it where an owned box overlaps the other one by more than `SAME_IOU`, or
    covers most of it and the other one is a part that was cut off at its window's edge.

    Args:
        found: in any order.
        grid: that the windows are of.
    """
    own, boxes = grid.owned(found.boxes_xyxy, found.window_rc), found.boxes_xyxy
    piece = np.any(_at_edges(found, grid), axis=(0, 2))

    def same(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        foreign = np.where(own[one], other, one)
        held = _shared(boxes[one], boxes[other]) > SAME_IOU * _areas(boxes[foreign])
        return (own[one] != own[other]) & (
            (piece[foreign] & held) | (_iou(boxes[one], boxes[other]) > SAME_IOU)
        )

    pair = np.concatenate(_pairs(boxes, same))
    needed = np.ones(len(found), bool)
    needed[pair] = own[pair]
    return found[needed]


def nms(found: Detections, iou_thr: float) -> Detections:
    """Keep the best of the boxes that show one object (greedy non-maximum suppression).

    Args:
        found: sorted by descending score.
        iou_thr: a box is suppressed where its IoU with one that stays is larger.
    """
    return found[nms_suppressors(found.boxes_xyxy, iou_thr) == np.arange(len(found))]


def wbf(found: Detections, iou_thr: float, num_views: int = 1) -> Detections:
    """Fuse the boxes that show one object by weighted boxes fusion.

    Solovyev et al. 2021, arXiv 1910.13302, section 3. A cluster is a box that `nms` keeps and those
    that it suppresses, rather than those near a running mean: so it does not depend on the order of
    equal scores. Its box is the mean of its boxes
    weighted by score, its score the sum of scores over the number of views or of boxes, whichever
    is more.

    Args:
        found: sorted by descending score.
        iou_thr: as in `nms`.
        num_views: in which each object could have been detected; a box that is missing in some
            lowers the score.
    """
    kept, group = np.unique(nms_suppressors(found.boxes_xyxy, iou_thr), return_inverse=True)
    count = np.bincount(group, minlength=len(kept))
    total = np.bincount(group, found.scores, len(kept))
    weight = np.where(total[group] > 0, found.scores, 1.0)
    fused = _best_of_groups(found, kept, group, weight)
    fused.boxes_xyxy[:] = np.stack(
        [_mean(side, group, weight) for side in found.boxes_xyxy.T], axis=1
    ).reshape(-1, 4)
    fused.scores[:] = total / np.maximum(count, num_views)
    return fused


METHODS: dict[str, Callable[[Detections, float], Detections]] = {'nms': nms, 'wbf': wbf}


def stitch_cut_objects(found: Detections, grid: Grid) -> Detections:
    """Stitch the parts of objects that are larger than the windows' overlap and so whole in none.

    Two boxes are parts of one object where they intersect, each ends at an edge of its own window,
    and that edge lies on the other's side. A stitched box covers all its parts; its score is the
    highest of theirs.

    Args:
        found: sorted by descending score.
        grid: that the windows are of.
    """
    first, second = _cut_apart(found, grid)
    group = _connected(first, second, len(found))
    kept = np.full(group.max(initial=-1) + 1, len(found))
    np.minimum.at(kept, group, np.arange(len(found)))  # the best of each
    whole = _best_of_groups(found, kept, group, found.pixels)
    for side, gather in enumerate((np.minimum, np.minimum, np.maximum, np.maximum)):
        gather.at(whole.boxes_xyxy[:, side], group, found.boxes_xyxy[:, side])
    whole.side_stds[np.bincount(group, minlength=len(kept)) > 1] = np.nan  # of several parts
    return whole


def _connected(
    first: NDArray[np.int64], second: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Return the connected component of each of `count` nodes, numbered by their first nodes.

    A light install has no SciPy: each pass gives both ends of an edge the lower of their labels.

    Args:
        first: one end of each edge.
        second: the other.
        count: number of nodes.
    """
    label = np.arange(count)
    while True:
        low, lower = np.minimum(label[first], label[second]), label.copy()
        np.minimum.at(lower, first, low)
        np.minimum.at(lower, second, low)
        lower = lower[lower]
        if np.array_equal(lower, label):
            return np.unique(label, return_inverse=True)[1].astype(np.int64)
        label = lower


def nms_suppressors(boxes_xyxy: NDArray[np.float64], iou_thr: float) -> NDArray[np.int64]:
    """Return for each box the index of the box that suppresses it in greedy NMS, (N,).

    Its own index where it stays.

    Args:
        boxes_xyxy: (N, 4), sorted by descending score.
        iou_thr: a box is suppressed where its IoU with one that stays is larger.
    """
    suppressor = np.arange(len(boxes_xyxy))
    better, worse = _pairs(
        boxes_xyxy, lambda first, second: _iou(boxes_xyxy[first], boxes_xyxy[second]) > iou_thr
    )
    # In this order a box is met as the better one only after all that could make it go.
    for left, right in zip(better.tolist(), worse.tolist(), strict=True):
        if suppressor[left] == left and suppressor[right] == right:
            suppressor[right] = left
    return suppressor


def _pairs(
    boxes_xyxy: NDArray[np.float64],
    wanted: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of boxes that intersect and are wanted, smaller index first, sorted."""
    found = [np.zeros((2, 0), np.int64), *_intersecting(boxes_xyxy, wanted)]
    first, second = np.concatenate(found, axis=1)
    order = np.lexsort((second, first))
    return first[order], second[order]


def _intersecting(
    boxes_xyxy: NDArray[np.float64],
    wanted: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]],
) -> Iterator[NDArray[np.int64]]:
    polygons = shapely.box(*boxes_xyxy.T)
    tree = shapely.STRtree(polygons)
    for start in range(0, len(polygons), _CHUNK):
        first, second = tree.query(polygons[start : start + _CHUNK])
        pairs = np.stack([first + start, second])[:, first + start < second]
        yield pairs[:, wanted(*pairs)]


def _iou(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the IoU of boxes row by row, 0 for two that have no area."""
    shared = _shared(one, other)
    both = _areas(one) + _areas(other) - shared
    return np.divide(shared, both, out=np.zeros_like(shared), where=both > 0)


def _shared(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area that boxes share, row by row."""
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    return np.asarray(np.maximum(sides, 0).prod(axis=1))


def _areas(boxes_xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1))


def _at_edges(found: Detections, grid: Grid) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which boxes begin, and which end, at a window edge inside the scene, (N, 2) each."""
    boxes, start = (
        found.boxes_xyxy.reshape(-1, 2, 2),
        found.window_rc[:, ::-1],
    )  # (N, start and end, x and y)
    end = start + grid.window_px
    at_start = (boxes[:, 0] - start < EDGE_PX) & (start > 0)
    return at_start, (end - boxes[:, 1] < EDGE_PX) & (end < (grid.width, grid.height))


def _cut_apart(found: Detections, grid: Grid) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of detections that are parts of one object."""
    boxes = found.boxes_xyxy.reshape(-1, 2, 2)  # (N, start and end, x and y)
    start = found.window_rc[:, ::-1]  # (N, x and y)
    at_start, at_end = _at_edges(found, grid)

    def parts(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
        meet = (
            np.maximum(boxes[one, 0], boxes[other, 0]) < np.minimum(boxes[one, 1], boxes[other, 1])
        ).all(axis=1)
        onwards = at_end[one] & at_start[other] & (start[one] < start[other])
        backwards = at_end[other] & at_start[one] & (start[other] < start[one])
        return meet & (onwards | backwards).any(axis=1)

    return _pairs(found.boxes_xyxy, parts)


def _best_of_groups(
    found: Detections,
    kept: NDArray[np.int64],
    group: NDArray[np.int64],
    weight: NDArray[np.float64],
) -> Detections:
    """Return the best detection of each group with the ground values of the whole group."""
    table = found[kept].table.copy()
    whole = Detections(table)
    if len(whole):
        whole.pixels[:] = np.bincount(group, found.pixels)
        whole.slope[:] = _mean(found.slope, group, weight)
        np.fmin.at(whole.lowest, group, found.lowest)
        np.fmax.at(whole.highest, group, found.highest)
    return whole


def _mean(
    values: NDArray[np.float64], group: NDArray[np.int64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weighted mean of each group; NaN where the weights are 0."""
    with np.errstate(invalid='ignore'):
        return np.bincount(group, values * weight) / np.bincount(group, weight)
