#!/usr/bin/python3
"""Makes a larger set of vectors from a small one: enlarge.py SET_FOLDER ROWS OUT_FOLDER [METRIC [AMONG [in-order]]]

Each new row is a row of the set plus a part of the difference of two of its own
near neighbours.  So new rows lie where rows lie: the density grows, the local
directions and the distances between clusters stay, and queries (which are the
set's own) are as far from the data as they were.  The first rows of the result
are the set's.  Vectors are rounded to half precision (bytes for a .u8 set), the
truth is made anew by exact search.  Neighbours are looked for among all rows of
the set, or AMONG random ones, which takes so many times less time.  New rows are
made from the set's in random order, or in-order: then row n belongs to text n of
enlarge_text.py.
"""
import os
import sys

import numpy as np

NEIGHBOURS = 16
PART = .6
TRUTH = 100
GROUP = 128


def scores(queries, base, norms, metric):
    """The larger, the nearer."""
    product = queries @ base.T
    if metric == "l2":
        return 2 * product - norms
    return product / np.sqrt(norms) if metric == "cos" else product


def nearest(queries, base, count, metric):
    """Row numbers of the `count` nearest; they lie in the `count` groups of rows with the best maxima."""
    rest = -len(base) % GROUP
    norms = np.maximum((base * base).sum(1), 1e-30)[None, :]
    found = np.empty((len(queries), count), "<i4")
    block = max(1, int(4e7 / len(base)))
    for i in range(0, len(queries), block):
        s = scores(queries[i:i + block], base, norms, metric)
        s = np.pad(s, ((0, 0), (0, rest)), constant_values=-np.inf).reshape(len(s), -1, GROUP)
        groups = np.argpartition(-s.max(2), min(count, s.shape[1] - 1), axis=1)[:, :count]
        rows = (groups[:, :, None] * GROUP + np.arange(GROUP)).reshape(len(s), -1)
        near = -np.take_along_axis(s, groups[:, :, None], 1).reshape(len(s), -1)
        order = near.argsort(axis=1, kind="stable")[:, :count]
        found[i:i + block] = np.take_along_axis(rows, order, 1)
    return found


def read(path, name, stem):
    for folder_stem in stem:
        file = os.path.join(path, folder_stem + ".u8")
        if os.path.exists(file):
            dim = int(name.rsplit("-", 1)[1])
            return np.fromfile(file, np.uint8).reshape(-1, dim).astype("f4"), True
        file = os.path.join(path, folder_stem + ".fvecs")
        if os.path.exists(file):
            flat = np.fromfile(file, "<i4")
            return np.ascontiguousarray(flat.reshape(-1, flat[0] + 1)[:, 1:]).view("<f4"), False
    sys.exit("no vectors in " + path)


def write(file, rows):
    rows = np.ascontiguousarray(rows)
    out = np.empty((len(rows), rows.shape[1] + 1), "<i4")
    out[:, 0] = rows.shape[1]
    out[:, 1:] = rows.view("<i4")
    out.tofile(file)


def enlarge(base, rows, bytes_only, metric, among, in_order):
    rng = np.random.default_rng(42)
    candidates = np.arange(len(base)) if among >= len(base) else np.sort(rng.permutation(len(base))[:among])
    # the nearest is often the row itself
    near = candidates[nearest(base, base[candidates], NEIGHBOURS + 1, metric)[:, 1:]]
    made = [base]
    missing = rows - len(base)
    while missing > 0:
        n = min(missing, len(base))
        at = np.arange(n) if in_order else rng.permutation(len(base))[:n]
        pair = near[at[:, None], rng.integers(0, NEIGHBOURS, (n, 2))]
        new = base[at] + PART * (base[pair[:, 0]] - base[pair[:, 1]])
        made.append(np.clip(np.rint(new), 0, 255) if bytes_only else new)
        missing -= n
    whole = np.concatenate(made)[:rows].astype("f4")
    return whole if bytes_only else whole.astype("f2").astype("f4")


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    path, rows, out = sys.argv[1].rstrip("/"), int(sys.argv[2]), sys.argv[3]
    metric = sys.argv[4] if len(sys.argv) > 4 else "l2"
    base, bytes_only = read(path, os.path.basename(path), ("base", "docs"))
    queries, _ = read(path, os.path.basename(path), ("query", "queries"))
    among = int(sys.argv[5]) if len(sys.argv) > 5 else len(base)
    whole = enlarge(base, rows, bytes_only, metric, among, "in-order" in sys.argv[6:7])
    os.makedirs(out, exist_ok=True)
    write(os.path.join(out, "base.fvecs"), whole)
    write(os.path.join(out, "query.fvecs"), queries)
    write(os.path.join(out, "gt100_%s.ivecs" % metric), nearest(queries, whole, TRUTH, metric))


main()
