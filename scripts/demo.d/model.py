#!/usr/bin/env python3
"""model.py DIMENSIONS: latent semantic analysis, the demo's embedding model.

Reads one document a line on standard input, its distinct words separated by
spaces.  Writes one line a word for COPY: the word, and its vector.  The vector
of a text is the sum of its words' vectors, so that SQL can compute it.

TF-IDF matrix A (documents by words, rows of length 1), truncated singular
value decomposition A = U S V'; a word's vector is its row of V S^-1/2 times
its IDF.  The decomposition is the randomised one of Halko, Martinsson and Tropp
(SIAM Review 53, 2011), on words' side, with a fixed seed.
"""
import sys

import numpy
from scipy import sparse

MIN_DOCUMENTS = 3       # words in fewer documents are left out
MAX_SHARE = 0.2         # and those in more than this share of them
EXTRA = 16              # dimensions computed beyond those kept
ROUNDS = 4              # power iterations


def count(lines):
    """Words, document frequencies and the 0/1 matrix in CSR form."""
    numbers, columns, ends = {}, [], [0]
    for line in lines:
        columns.extend(numbers.setdefault(word, len(numbers)) for word in line.split())
        ends.append(len(columns))
    matrix = sparse.csr_matrix((numpy.ones(len(columns), numpy.float32), columns, ends),
                               shape=(len(ends) - 1, len(numbers)))
    return numpy.array(list(numbers), dtype=object), matrix


def decompose(a, dimensions):
    """The first right singular vectors of a, as columns, and the singular values."""
    rng = numpy.random.default_rng(1)
    at = a.T.tocsr()
    q = rng.standard_normal((a.shape[1], dimensions + EXTRA), dtype=numpy.float32)
    for _ in range(ROUNDS):
        q, _ = numpy.linalg.qr(at @ (a @ q))
    b = a @ q
    _, squares, v = numpy.linalg.svd(b.T @ b)
    return (q @ v.T)[:, :dimensions], numpy.sqrt(squares[:dimensions])


def main():
    dimensions = int(sys.argv[1])
    words, matrix = count(sys.stdin)
    documents = matrix.getnnz(axis=0)
    keep = (documents >= MIN_DOCUMENTS) & (documents <= MAX_SHARE * matrix.shape[0])
    words, matrix, documents = words[keep], matrix[:, keep], documents[keep]
    if len(words) < dimensions + EXTRA:
        sys.exit("model.py: too few words for %d dimensions: %d" % (dimensions, len(words)))
    idf = numpy.log(matrix.shape[0] / documents).astype(numpy.float32)
    a = matrix @ sparse.diags(idf)
    norms = numpy.sqrt(a.multiply(a).sum(axis=1)).A1
    a = sparse.csr_matrix(sparse.diags(1 / numpy.maximum(norms, 1e-9)) @ a, dtype=numpy.float32)
    v, singular = decompose(a, dimensions)
    vectors = v / numpy.sqrt(singular) * idf[:, None]
    for word, vector in zip(words, vectors):
        print(word.replace("\\", "\\\\") + "\t[" + ",".join("%.5g" % x for x in vector) + "]")


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")
    sys.stdout.reconfigure(encoding="utf-8")
    main()
