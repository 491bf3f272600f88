"""Thinning a curve to few points without losing its shape. Pure."""

from collections.abc import Sequence


def largest_triangles(points: Sequence[tuple[float, float]], keep: int) -> list[int]:
    """Return the indices of `keep` points (at least 2) that show the curve best, in order.

    Largest-Triangle-Three-Buckets (S. Steinarsson, "Downsampling Time Series for Visual
    Representation", University of Iceland, 2013): the first and the last point stay; between them
    the points are cut into equal buckets, and of each the one stays that spans the largest triangle
    with the point kept before it and the mean of the next bucket. Peaks survive, unlike with means.
    """
    count = len(points)
    if count <= keep:
        return list(range(count))
    kept = [0]
    width = (count - 2) / (keep - 2) if keep > 2 else 0.0  # noqa: PLR2004 - the two ends
    for bucket in range(keep - 2):
        start, end = 1 + int(bucket * width), 1 + int((bucket + 1) * width)
        following = points[end : min(1 + int((bucket + 2) * width), count)] or points[-1:]
        mean_x = sum(x for x, _ in following) / len(following)
        mean_y = sum(y for _, y in following) / len(following)
        last_x, last_y = points[kept[-1]]

        def area(index: int) -> float:
            x, y = points[index]
            return abs((last_x - mean_x) * (y - last_y) - (last_x - x) * (mean_y - last_y))  # noqa: B023 - used at once

        kept.append(max(range(start, end), key=area))
    return [*kept, count - 1]
