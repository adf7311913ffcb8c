"""Reads the data sets of a data folder: archives NAME.tar.zst or folders NAME.

A set with docs.tsv is of documents, one without of vectors.  Row numbers count
from 0 and are the tables' ids.  Files (README.md says where to get or how to
make them):

    *.fvecs, *.ivecs   per row an int32 dimension, then float32 or int32, little endian
    *.u8               bytes; the dimension is a number at the end of the set's name
    docs.tsv           id, title, text; queries.tsv: id, text
    gt100_METRIC.ivecs the 100 nearest rows of each query (METRIC: l2, cos, ip)
    answers.tsv        query, strings of which one must occur in a document that answers it
    ref_bm25_top10.tsv query, "document:score" ten times
    qrels.tsv          query, document, grade
"""
import json
import os
import re
import subprocess

import numpy as np

METRICS = {"l2": ("vector_l2_ops", "<->"), "cos": ("vector_cosine_ops", "<=>"), "ip": ("vector_ip_ops", "<#>")}


def names(folder):
    """Sets of a data folder."""
    found = set()
    for entry in os.listdir(folder):
        if entry.endswith(".tar.zst"):
            found.add(entry.removesuffix(".tar.zst"))
        elif os.path.isdir(os.path.join(folder, entry)):
            found.add(entry)
    return sorted(found)


def unpack(folder, name, work):
    """Path of the set's folder; an archive is unpacked below `work`."""
    path = os.path.join(folder, name)
    if os.path.isdir(path):
        return path
    subprocess.run(["tar", "--zstd", "-xf", path + ".tar.zst", "-C", work], check=True)
    return os.path.join(work, name)


def _rows(path, dtype):
    flat = np.fromfile(path, dtype="<i4")
    return np.ascontiguousarray(flat.reshape(-1, flat[0] + 1)[:, 1:]).view(dtype)


def _first(path, *candidates):
    for candidate in candidates:
        if os.path.exists(os.path.join(path, candidate)):
            return os.path.join(path, candidate)
    return None


def _vectors(path, name, *candidates):
    file = _first(path, *candidates)
    if file is None:
        return None
    if file.endswith(".u8"):
        dimension = int(re.findall(r"\d+", name)[-1])
        return np.fromfile(file, dtype=np.uint8).reshape(-1, dimension).astype(np.float32)
    return _rows(file, "<f4")


def _table(path, file):
    if not os.path.exists(os.path.join(path, file)):
        return None
    with open(os.path.join(path, file), encoding="utf-8") as lines:
        return [line.rstrip("\n").split("\t") for line in lines]


def scores(base, queries, metric):
    """Smaller is nearer; float64, queries * rows."""
    products = queries.astype(np.float64) @ base.astype(np.float64).T
    if metric == "ip":
        return -products
    if metric == "cos":
        lengths = np.linalg.norm(base.astype(np.float64), axis=1)
        return 1 - products / np.linalg.norm(queries.astype(np.float64), axis=1)[:, None] / np.where(lengths > 0, lengths, np.inf)
    return (base.astype(np.float64)**2).sum(axis=1) - 2 * products + (queries.astype(np.float64)**2).sum(axis=1)[:, None]


def pair_scores(base, query, metric):
    return scores(base, query[None, :], metric)[0]


class DataSet:
    def __init__(self, name, path, rows=None, queries=None):
        self.name = name
        self.base = _vectors(path, name, "base.fvecs", "base.u8", "docs.fvecs", "lsa256_docs.fvecs")
        self.queries = _vectors(path, name, "query.fvecs", "query.u8", "queries.fvecs", "lsa256_queries.fvecs")
        self.truth = {}
        for metric in METRICS:
            file = _first(path, f"gt100_{metric}.ivecs", f"lsa256_gt100_{metric}.ivecs")
            if file is not None:
                self.truth[metric] = _rows(file, "<i4")
        self.docs = _table(path, "docs.tsv")
        self.texts = _table(path, "queries.tsv")
        self.answers = {r[0]: r[1:] for r in _table(path, "answers.tsv") or []}
        self.reference = {r[0]: [d.rsplit(":", 1)[0] for d in r[1].split()]
                          for r in _table(path, "ref_bm25_top10.tsv") or []}
        self.grades = {}
        for query, document, grade in _table(path, "qrels.tsv") or []:
            self.grades.setdefault(query, {})[document] = int(grade)
        self.short = self._short(path)
        self.whole = rows is None or rows >= len(self.base)
        if not self.whole:
            self._cut(rows)
        if queries is not None:
            self._thin(queries)

    @staticmethod
    def _short(path):
        """Bags of words among a search engine benchmark's queries: two or three words as a rule."""
        file = os.path.join(path, "sbg_queries.jsonl")
        if not os.path.exists(file):
            return []
        with open(file, encoding="utf-8") as lines:
            queries = [json.loads(line) for line in lines]
        return [q["query"] for q in queries if q["tags"][0] in ("union", "term")]

    def _cut(self, rows):
        """The first rows alone: the truth is computed anew, references no longer hold."""
        self.base = self.base[:rows]
        self.docs = self.docs and self.docs[:rows]
        self.reference = {}
        for metric in self.truth:
            self.truth[metric] = np.argsort(scores(self.base, self.queries, metric), axis=1, kind="stable")[:, :100]

    def _thin(self, count):
        if count >= len(self.queries):
            return
        chosen = np.linspace(0, len(self.queries) - 1, count).astype(int)
        self.queries = self.queries[chosen]
        self.truth = {m: t[chosen] for m, t in self.truth.items()}
        self.texts = self.texts and [self.texts[i] for i in chosen]
        self.short = self.short[::max(1, len(self.short) // count)][:count]

    @property
    def dimension(self):
        return self.base.shape[1]
