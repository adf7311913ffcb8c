#!/usr/bin/python3
"""Hybrid and filtered search in SQL: what they cost beside separate indexes.

Loads one set of documents with vectors into an empty database of a server that
is there.  Measures, on one table and in one run: both legs of a hybrid query at
their windows, elacsym_rrf() and elacsym_search() over them, the CTE that people
write over elacsym, over HNSW with GIN, and over HNSW with the index of
--peer-ddl; vector search under conditions that pass .01% to 50% of the rows,
random ones and such that go with or against the query; BM25 under conditions.
Writes DATE-hybrid-SET.json and .md.  bench/README.md says how to read them.
"""
import argparse
import datetime
import json
import os

import numpy as np

import datasets
import measure
from libpq import Connection, copy_binary, vector_binary
from quality import Judge, recall
from text import SETTINGS, command, table

WINDOW = 100                # rows of each leg that are fused
SHARES = 1_000_000          # column share is a random number below this
TOPICS = 100                # column topic: the nearest of so many rows
VECTOR_PARTS = (0.0001, 0.001, 0.01, 0.1, 0.5)
TEXT_PARTS = (0.001, 0.01, 0.05)
ITERATIVE = ("hnsw.iterative_scan = strict_order", "hnsw.max_scan_tuples = 1000000", "hnsw.ef_search = 100")
BY_VECTOR = "SELECT id FROM docs{where} ORDER BY v <=> $1 LIMIT {k}"
BY_TEXT = "SELECT id FROM docs{where} ORDER BY t <@> $1 LIMIT {k}"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conninfo", required=True, help="of an empty database")
    parser.add_argument("--data", required=True, help="folder of one set: docs.tsv, docs.fvecs, queries.tsv, queries.fvecs")
    parser.add_argument("--out", default=".", help="folder for results")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--note", default="")
    parser.add_argument("--systems", default="elacsym,btree,hnsw", help="of elacsym, btree (filters alone), hnsw")
    parser.add_argument("--rows", type=int, help="the first rows of the set alone")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=5.0, help="seconds a timed round may take; else queries are left out")
    parser.add_argument("--reuse", action="store_true", help="tables of an earlier run are there")
    parser.add_argument("--peer", default="peer", help="what results call the index of --peer-ddl")
    parser.add_argument("--peer-ddl", default="", help="statement that makes index peer_idx on docs (t text)")
    parser.add_argument("--peer-sql", default="", help="ranks by words: $1 the words, {k} rows, {where} a condition; ids come back")
    return parser.parse_args()


class Bench:
    """The table, its queries, and how statements are asked."""

    def __init__(self, options):
        self.options = options
        path = os.path.abspath(options.data)
        self.data = datasets.DataSet(os.path.basename(path), path, options.rows, options.queries)
        self.judge = Judge(self.data)
        self.words = [t[1] for t in self.data.texts]
        self.vectors = [vector_binary(v) for v in self.data.queries]
        rng = np.random.default_rng(1)
        self.share = rng.integers(0, SHARES, len(self.data.base))
        centres = self.data.base[rng.integers(0, len(self.data.base), TOPICS)]
        self.topic = np.concatenate([datasets.scores(centres, part, "cos").argmin(1)
                                     for part in np.array_split(self.data.base, 1 + len(self.data.base) // 20000)])
        self.query_topic = datasets.scores(centres, self.data.queries, "cos").argmin(1)

    def load(self):
        """Tables docs (id, share, topic, t, v), t being title and text, and docs_gin (id, tsv)."""
        with Connection(self.options.conninfo) as connection:
            for extension in ("vector", "elacsym"):
                connection.execute("CREATE EXTENSION IF NOT EXISTS " + extension)
            if not (self.options.reuse and connection.value("SELECT to_regclass('docs_gin')")):
                connection.execute("DROP TABLE IF EXISTS docs, docs_gin")
                connection.execute("CREATE TABLE docs (id int NOT NULL, share int NOT NULL, topic int NOT NULL, t text,"
                                   f" v vector({self.data.dimension}))")
                connection.copy("COPY docs FROM STDIN (FORMAT binary)",
                                copy_binary((i, self.share[i], self.topic[i], " ".join(d[1:]), vector_binary(v))
                                            for i, (d, v) in enumerate(zip(self.data.docs, self.data.base))))
                connection.execute("CREATE TABLE docs_gin AS SELECT id, to_tsvector('english', t) AS tsv FROM docs")
                connection.execute("VACUUM (ANALYZE, FREEZE) docs")
                connection.execute("VACUUM (ANALYZE, FREEZE) docs_gin")
            return {"rows": int(connection.value("SELECT count(*) FROM docs")), "dimensions": self.data.dimension,
                    "queries": len(self.words),
                    "table_mb": round(int(connection.value("SELECT pg_table_size('docs')")) / 1e6, 1)}

    def build(self, sql, name):
        built = measure.build(self.options.conninfo, [sql], name)
        print(f"  {name}: {built['build_s']} s, {built['size_mb']} MB", flush=True)
        return built

    def drop(self, name):
        with Connection(self.options.conninfo) as connection:
            connection.execute(f"DROP INDEX IF EXISTS {name}")

    def tsqueries(self):
        """The questions' lexemes joined by |; made beforehand and not timed."""
        with Connection(self.options.conninfo) as connection:
            call = connection.prepare("SELECT coalesce(string_agg(quote_literal(lexeme), ' | '), '')"
                                      " FROM unnest(to_tsvector('english', $1))")
            return [connection.rows(call(text).run())[0][0] for text in self.words]

    def ask(self, title, sql, parameters, settings=(), truth=None, judged=False):
        """Figures of a statement; truth: row numbers of the nearest, for recall."""
        options = self.options
        with Connection(options.conninfo) as connection:
            for setting in ("default_text_search_config = 'english'", *settings):
                connection.execute("SET " + setting)
            prepared = connection.prepare(sql)
            figures, answers = measure.run_rounds(connection, [prepared(*p) for p in parameters], options.rounds, options.budget)
            marks = self.judge.marks(answers) if judged else {}
            if truth is not None:
                marks["recall_at_10"] = round(recall(self.data, "cos", answers, truth), 4)
                marks["short_answers"] = sum(len(rows) < min(10, len(truth[p])) for p, rows in answers.items())
        print(f"    {title}: p50 {figures['p50_ms']} p95 {figures['p95_ms']} ms {marks}", flush=True)
        return {"title": title, "sql": sql, "settings": list(settings), **marks, **figures}

    # ---- hybrid ----

    def hybrid_elacsym(self):
        both = list(zip(self.vectors, self.words))
        fused = "SELECT id FROM docs ORDER BY elacsym_rrf(v <=> $1, t <@> $2) LIMIT 10"
        search = (f"SELECT (s.doc).id FROM elacsym_search(NULL::docs, vector => $1::vector, text => $2, k => 10,"
                  f" vector_window => {WINDOW}, text_window => {WINDOW}) s")
        cte = rrf(BY_VECTOR.format(where="", k=WINDOW), BY_TEXT.format(where="", k=WINDOW).replace("$1", "$2"))
        return [self.ask("elacsym, vector leg, 100 rows", BY_VECTOR.format(where="", k=WINDOW), [(v,) for v in self.vectors]),
                self.ask("elacsym, BM25 leg, 100 rows", BY_TEXT.format(where="", k=WINDOW), [(w,) for w in self.words]),
                self.ask("elacsym_rrf()", fused, both, judged=True),
                self.ask("elacsym_search()", search, both, judged=True),
                self.ask("CTE over elacsym", cte, both, judged=True)]

    def hybrid_hnsw(self):
        ef = (f"hnsw.ef_search = {WINDOW}",)
        leg = BY_VECTOR.format(where="", k=WINDOW)
        gin = ("SELECT id FROM docs_gin WHERE tsv @@ $2::tsquery"
               f" ORDER BY ts_rank_cd(tsv, $2::tsquery) DESC LIMIT {WINDOW}")
        out = [self.ask("HNSW, vector leg, 100 rows", leg, [(v,) for v in self.vectors], ef)]
        self.build("CREATE INDEX bench_gin ON docs_gin USING gin (tsv)", "bench_gin")
        out.append(self.ask("CTE over HNSW and GIN", rrf(leg, gin), list(zip(self.vectors, self.tsqueries())), ef, judged=True))
        self.drop("bench_gin")
        if self.options.peer_ddl:
            peer = self.options.peer_sql
            self.build(self.options.peer_ddl, "peer_idx")
            out.append(self.ask(f"{self.options.peer}, BM25 leg, 100 rows", peer.format(where="", k=WINDOW),
                                [(w,) for w in self.words]))
            out.append(self.ask(f"CTE over HNSW and {self.options.peer}",
                                rrf(leg, peer.format(where="", k=WINDOW).replace("$1", "$2")),
                                list(zip(self.vectors, self.words)), ef, judged=True))
            for part in TEXT_PARTS:
                out.append(self.ask(f"{self.options.peer}, BM25, {part:.2%} of the rows",
                                    peer.format(where=f" WHERE share < {int(part * SHARES)}", k=10), [(w,) for w in self.words]))
            self.drop("peer_idx")
        return out

    # ---- filters ----

    def nearest(self, rows, positions):
        """For each query position the rows (of those given) that are nearest, best first."""
        found = {}
        for i in range(0, len(positions), 50):
            part = positions[i:i + 50]
            scores = datasets.scores(self.data.base[rows], self.data.queries[part], "cos")
            best = np.argpartition(scores, min(10, len(rows) - 1), axis=1)[:, :10] if len(rows) > 10 else \
                np.tile(np.arange(len(rows)), (len(part), 1))
            for position, columns, line in zip(part, best, scores):
                found[position] = rows[columns[line[columns].argsort(kind="stable")]]
        return found

    def conditions(self):
        """(title, condition, {position: parameters after the vector}, truth) of each kind of filter."""
        everyone = list(range(len(self.vectors)))
        out = [("no condition", "", {p: () for p in everyone}, self.nearest(np.arange(len(self.data.base)), everyone))]
        for part in VECTOR_PARTS:
            limit = int(part * SHARES)
            out.append((f"{part:.2%} of the rows, at random", f" WHERE share < {limit}", {p: () for p in everyone},
                        self.nearest(np.flatnonzero(self.share < limit), everyone)))
        for title, of in (("the query's own topic", self.query_topic), ("another topic", (self.query_topic + 7) % TOPICS)):
            truth = {}
            for topic in np.unique(of):
                truth.update(self.nearest(np.flatnonzero(self.topic == topic), [int(p) for p in np.flatnonzero(of == topic)]))
            parameters = {p: (str(of[p]),) for p in everyone}
            out.append((title, " WHERE topic = $2::int", parameters, truth))
            if title == "the query's own topic":
                truth = {}
                for topic in np.unique(of):
                    truth.update(self.nearest(np.flatnonzero(self.topic != topic), [int(p) for p in np.flatnonzero(of == topic)]))
                out.append(("not the query's own topic", " WHERE topic <> $2::int", parameters, truth))
        return out

    def filtered_vectors(self, name, settings=()):
        out = []
        for title, where, parameters, truth in self.conditions():
            out.append(self.ask(f"{name}, {title}", BY_VECTOR.format(where=where, k=10),
                                [(v, *parameters[p]) for p, v in enumerate(self.vectors)], settings, truth))
        return out

    def filtered_texts(self):
        return [self.ask(f"elacsym, BM25, {part:.2%} of the rows", BY_TEXT.format(where=f" WHERE share < {int(part * SHARES)}", k=10),
                         [(w,) for w in self.words]) for part in TEXT_PARTS]


def rrf(vector_leg, text_leg):
    """The CTE that people write: two ranked lists, joined, summed."""
    return f"""
WITH v AS (SELECT id, row_number() OVER () AS place FROM ({vector_leg}) nearest),
     t AS (SELECT id, row_number() OVER () AS place FROM ({text_leg}) best)
SELECT id FROM v FULL JOIN t USING (id)
 ORDER BY coalesce(1.0 / (60 + v.place), 0) + coalesce(1.0 / (60 + t.place), 0) DESC, id LIMIT 10"""


def measure_system(bench, system):
    """(index, its cost, figures) of one kind of index."""
    if system == "elacsym":
        built = bench.build("CREATE INDEX bench_hybrid ON docs USING elacsym (v vector_cosine_ops, t text_bm25_ops"
                            " (config = 'english'), share, topic)", "bench_hybrid")
        figures = bench.hybrid_elacsym() + bench.filtered_vectors("elacsym") + bench.filtered_texts()
        bench.drop("bench_hybrid")
        return built, figures
    if system == "btree":
        built = bench.build("CREATE INDEX bench_share ON docs (share)", "bench_share")
        bench.build("CREATE INDEX bench_topic ON docs (topic)", "bench_topic")
        figures = bench.filtered_vectors("btree and sort")
        bench.drop("bench_share")
        bench.drop("bench_topic")
        return built, figures
    built = bench.build("CREATE INDEX bench_vector ON docs USING hnsw (v vector_cosine_ops) WITH (m = 16, ef_construction = 64)",
                        "bench_vector")
    figures = bench.hybrid_hnsw() + bench.filtered_vectors("HNSW, iterative, ef_search 100", ITERATIVE)
    bench.drop("bench_vector")
    return built, figures


# ---- the report ----

def report(result):
    machine = result["machine"]
    settings = ", ".join(f"{k} {v}" for k, v in result["settings"].items() if v)
    text = [f"# Hybrid and filters: {result['set']}, {result['date']}\n",
            f"{result['table']['rows']:,} rows, {result['table']['dimensions']} dimensions, {result['table']['queries']} questions with"
            f" their vectors. PostgreSQL {result['postgresql']}, elacsym {result['elacsym']} (commit {result['commit']}).",
            f"{machine['cpu']} ({', '.join(machine['simd'])}), {machine['cores']} cores, {machine['memory_gb']} GB, kernel {machine['kernel']}.",
            f"Load average before {result['load_average_before']}, after {result['load_average_after']}."]
    if result["note"]:
        text.append(result["note"])
    text += [f"Settings: {settings}.", f"Command: `{result['command']}`\n",
             table(["index", "build s", "processor s", "MB"],
                   [[name, s["build"]["build_s"], s["build"]["processor_s"], s["build"]["size_mb"]]
                    for name, s in result["systems"].items()]),
             table(["query", "p50 ms", "p95 ms", "queries/s", "processor ms", "recall@10", "answers of too few rows",
                    "answer in top 10", "judged / timed", "neighbours' cores"],
                   [[f["title"], f["p50_ms"], f["p95_ms"], f["qps"], f["processor_ms"], f.get("recall_at_10"), f.get("short_answers"),
                     f.get("answered_at_10"), f"{f['queries_judged']} / {f['queries_timed']}", f["neighbours_cores"]]
                    for s in result["systems"].values() for f in s["queries"]])]
    return "\n".join(text)


def write(options, result):
    stem = os.path.join(options.out, f"{result['date'][:10]}-hybrid-{result['set']}")
    with open(stem + ".json", "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)
        out.write("\n")
    with open(stem + ".md", "w", encoding="utf-8") as out:
        out.write(report(result))
    print(stem + ".md", flush=True)


def main():
    options = arguments()
    bench = Bench(options)
    before = measure.load_average()
    loaded = bench.load()
    with Connection(options.conninfo) as connection:
        result = {"set": bench.data.name, "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
                  "commit": options.commit, "note": options.note, "command": command("bench/hybrid.py"),
                  "machine": measure.machine(), "postgresql": connection.value("SHOW server_version"),
                  "elacsym": connection.value("SELECT extversion FROM pg_extension WHERE extname = 'elacsym'"),
                  "settings": {name: connection.value(f"SHOW {name}") for name in SETTINGS},
                  "table": loaded, "load_average_before": before, "systems": {}}
    for system in options.systems.split(","):
        built, figures = measure_system(bench, system)
        result["systems"][system] = {"build": built, "queries": figures}
        result["load_average_after"] = measure.load_average()
        write(options, result)


if __name__ == "__main__":
    main()
