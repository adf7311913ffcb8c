#!/usr/bin/python3
"""How relevant BM25's answers are on judged sets, beside references: fails when they are worse.

Each set of the data folder that has a reference here is loaded into an empty
database of a server that is there, and its mark compared with the reference's,
which was made elsewhere: as users index it, with the configuration english,
within .005; and on the reference's own tokens, within .001: words without
punctuation, 33 stop words (tsearch_data/elacsym_bench.stop of the server is
bench/english33.stop), Snowball's stemmer; Chinese as bigrams.  Each time the
mark is also that of BM25 in double precision, computed here from to_tsvector()'s
lexemes, and so is every score, within 1e-5.
"""
import argparse
import collections
import math
import re

import datasets
import documents
from libpq import Connection, copy_binary
from quality import Judge

K1, B, DEPTH = 1.2, 0.75, 10

# set: (mark, its value in the reference, questions judged); k1 1.2, b .75, Lucene's idf
REFERENCES = {
    "judged-nfcorpus": ("ndcg_at_10", 0.3225, None),
    "judged-cranfield": ("ndcg_at_10", 0.3685, None),
    "judged-cmrc2018-dev-zh": ("ndcg_at_10", 0.9833, 1000),
    "hybrid-enwiki-100k": ("answered_at_10", 0.198, None),
}


class Variant:
    """One way to index a set; within: how far from the reference its mark may be."""

    def __init__(self, name, config, options, within, shape=lambda text: text):
        self.name, self.config, self.options, self.within, self.shape = name, config, options, within, shape


ENGLISH = [Variant("english", "english", "", 0.005),
           Variant("the reference's tokens", "public.bench_english", "", 0.001, lambda text: re.sub(r"\W+", " ", text))]
CHINESE = [Variant("bigrams", "simple", ", bigrams = on", 0.001)]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conninfo", required=True, help="of an empty database")
    parser.add_argument("--data", required=True, help="folder with the sets, or archives of them")
    parser.add_argument("--work", default="/tmp", help="folder for unpacked data")
    parser.add_argument("--sets", default="", help="of " + ", ".join(REFERENCES) + " (default: all that are there)")
    return parser.parse_args()


# ---- the formula in doubles ----

def rounded_length(length):
    """A length as Lucene keeps it in a byte: exact below 40, then four significant bits of what is above 24."""
    if length < 40:
        return length
    drop = (length - 24).bit_length() - 4
    return 24 + ((length - 24) >> drop << drop)


class Exact:
    """Exhaustive BM25 over bags of tokens."""

    def __init__(self, bags):
        lengths = [sum(bag.values()) for bag in bags]
        self.ndocs = sum(n > 0 for n in lengths)
        mean = sum(lengths) / self.ndocs
        self.norms = [K1 * (1 - B + B * rounded_length(n) / mean) for n in lengths]
        self.postings = collections.defaultdict(list)
        for i, bag in enumerate(bags):
            for token, tf in bag.items():
                self.postings[token].append((i, tf))

    def scores(self, query):
        scores = collections.defaultdict(float)
        for token, qtf in query.items():
            found = self.postings.get(token, [])
            weight = qtf * math.log(1 + (self.ndocs - len(found) + 0.5) / (len(found) + 0.5))
            for i, tf in found:
                scores[i] += weight * tf / (tf + self.norms[i])
        return scores


def bags(connection, config, texts):
    """{row: {lexeme: occurrences}} of to_tsvector(); a row has no more than 255 of one."""
    connection.execute("DROP TABLE IF EXISTS bagged")
    connection.execute("CREATE TEMP TABLE bagged (id int, body text)")
    connection.copy("COPY bagged FROM STDIN (FORMAT binary)", copy_binary(enumerate(texts)))
    out = [{} for _ in texts]
    for row, lexeme, tf in connection.execute(
            f"SELECT id, lexeme, cardinality(positions) FROM bagged, unnest(to_tsvector('{config}', body)) u"):
        out[int(row)][lexeme] = int(tf)
    return out


# ---- one set ----

def search(connection, texts):
    call = connection.prepare(f"SELECT id, -(t <@> $1) FROM docs ORDER BY t <@> $1 LIMIT {DEPTH}")
    connection.execute("SET enable_seqscan = off")
    return {i: [(int(r[0]), float(r[1])) for r in connection.rows(call(t).run())] for i, t in enumerate(texts)}


def compare(found, exact):
    """(scores that are off, ten best that are others) of one query; rows of score 0 are no answers."""
    best = sorted(exact.items(), key=lambda p: (-p[1], p[0]))[:DEPTH]
    off = sum(abs(score - exact.get(row, 0.0)) > 1e-5 * max(score, 1e-300) for row, score in found if score > 0)
    mine = [score for _, score in found if score > 0]
    wrong = len(mine) != len(best) or any(abs(a - b[1]) > 1e-5 * b[1] for a, b in zip(mine, best))
    return off, wrong


def measure_variant(connection, name, data, variant):
    mark, reference, _ = REFERENCES[name]
    texts = [variant.shape(" ".join(d[1:])) for d in data.docs]
    questions = [variant.shape(t[1]) for t in data.texts]
    connection.execute("DROP TABLE IF EXISTS docs")
    connection.execute("CREATE TABLE docs (id int NOT NULL, t text)")
    connection.copy("COPY docs FROM STDIN (FORMAT binary)", copy_binary(enumerate(texts)))
    connection.execute(f"CREATE INDEX docs_idx ON docs USING elacsym (t text_bm25_ops (config = '{variant.config}'{variant.options}))")
    found = search(connection, questions)
    judge = Judge(data)
    got = judge.marks({i: [r for r in rows if r[1] > 0] for i, rows in found.items()})[mark]
    # a share of 500 questions moves by .002 with one of them
    within = variant.within if mark == "ndcg_at_10" else 0.005
    good = abs(got - reference) <= within
    print(f"{name}, {variant.name}: {mark} {got:.4f}, reference {reference:.4f} +- {within}: {'ok' if good else 'NOT OK'}", flush=True)
    if variant.options:
        return good     # to_tsvector() has no such lexemes
    exact = Exact(bags(connection, variant.config, texts))
    scored = [exact.scores(q) for q in bags(connection, variant.config, questions)]
    same = judge.marks({i: sorted(s.items(), key=lambda p: (-p[1], p[0]))[:DEPTH] for i, s in enumerate(scored)})[mark]
    wrong = [compare(found[i], s) for i, s in enumerate(scored)]
    equal = abs(same - got) <= 0.001 and not any(off or other for off, other in wrong)
    print(f"{name}, {variant.name}: in double precision {same:.4f}; {sum(o for o, _ in wrong)} of {len(wrong) * DEPTH} scores off by more"
          f" than 1e-5, {sum(o for _, o in wrong)} of {len(wrong)} lists differ: {'ok' if equal else 'NOT OK'}", flush=True)
    return good and equal


def measure_set(connection, name, path):
    data = datasets.DataSet(name, path)
    data.texts = data.texts[:REFERENCES[name][2]]
    # a list, so that one that fails does not keep the others from being measured
    return all([measure_variant(connection, name, data, v) for v in (CHINESE if name.endswith("-zh") else ENGLISH)])


def main():
    options = arguments()
    there = datasets.names(options.data)
    names = [s for s in options.sets.split(",") if s] or [n for n in REFERENCES if n in there]
    if not names:
        raise SystemExit(f"none of {', '.join(REFERENCES)} is in the data folder")
    with Connection(options.conninfo) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS elacsym")
        if not connection.execute("SELECT FROM pg_ts_config WHERE cfgname = 'bench_english'"):
            connection.execute(documents.STOP_CONFIG)
        results = [measure_set(connection, n, datasets.unpack(options.data, n, options.work)) for n in names]
    raise SystemExit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
