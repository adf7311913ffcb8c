"""How good answers are: recall, overlap, NDCG, answers found."""
import re
import unicodedata

import numpy as np

from datasets import pair_scores

K = 10


def recall(data, metric, answers, truth=None):
    """
    Recall@10; a row as near as the tenth nearest counts, whichever of equals it
    is.  truth: row numbers of the nearest, the data set's own by default; where
    it has fewer than ten, as many are asked for.
    """
    hits = wanted = 0
    truth = data.truth[metric] if truth is None else truth
    for position, rows in answers.items():
        query = data.queries[position]
        near_rows = truth[position][:K]
        wanted += len(near_rows)
        worst = pair_scores(data.base[near_rows[-1:]], query, metric)[0]
        found = np.array([int(r[0]) for r in rows[:K]], dtype=int)
        if len(found):
            near = pair_scores(data.base[found], query, metric)
            hits += min(int((near <= worst + 1e-7 * max(1.0, abs(worst))).sum()), len(near_rows))
    return hits / wanted


def ndcg(grades, documents):
    """NDCG@10: gain is the grade, discount the logarithm of the place."""
    discount = 1 / np.log2(np.arange(2, K + 2))
    gains = [max(grades.get(d, 0), 0) for d in documents[:K]]
    best = sorted((g for g in grades.values() if g > 0), reverse=True)[:K]
    if not best:
        return 0.0
    return float(np.dot(gains, discount[:len(gains)]) / np.dot(best, discount[:len(best)]))


def _words(text):
    return " " + " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", text).lower())) + " "


class Judge:
    """Marks lists of row numbers for the questions of a set of documents."""

    def __init__(self, data):
        self.data = data
        self.answers = {q: [_words(a) for a in strings] for q, strings in data.answers.items()}
        self.documents = {}

    def _document(self, row):
        if row not in self.documents:
            self.documents[row] = _words(" ".join(self.data.docs[row][1:]))
        return self.documents[row]

    def marks(self, answers):
        """answers: {position of the question: rows}"""
        data = self.data
        overlap, gain, found = [], [], []
        for position, rows in answers.items():
            query = data.texts[position][0]
            numbers = [int(r[0]) for r in rows[:K]]
            documents = [data.docs[n][0] for n in numbers]
            if query in data.reference:
                overlap.append(len(set(documents) & set(data.reference[query])) / len(data.reference[query]))
            if query in data.grades:
                gain.append(ndcg(data.grades[query], documents))
            if query in self.answers:
                found.append(any(a in self._document(n) for n in numbers for a in self.answers[query]))
        marks = {"overlap_at_10": overlap, "ndcg_at_10": gain, "answered_at_10": found}
        return {name: round(float(np.mean(values)), 4) for name, values in marks.items() if values}
