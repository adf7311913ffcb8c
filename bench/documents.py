"""Text and hybrid search over a set of documents."""
import vectors
from datasets import METRICS
from libpq import Connection, copy_binary, vector_binary
from measure import build, load_average, plan_of, run_rounds
from quality import Judge

WINDOW = 100  # rows of each leg that are fused

# The stop words of Lucene's English analyzer, which the references were made
# with; those of PostgreSQL's configuration "english" are 127.
STOP_CONFIG = """
CREATE TEXT SEARCH DICTIONARY bench_stem (TEMPLATE = snowball, Language = english, StopWords = elacsym_bench);
CREATE TEXT SEARCH CONFIGURATION bench_english (COPY = english);
ALTER TEXT SEARCH CONFIGURATION bench_english
    ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH bench_stem
"""

BM25 = "SELECT id FROM docs ORDER BY t <@> $1 LIMIT 10"
RANK_CD = ("SELECT id FROM docs_gin WHERE tsv @@ $1::tsquery"
           " ORDER BY ts_rank_cd(tsv, $1::tsquery) DESC LIMIT 10")
SEARCH = (f"SELECT (s.doc).id FROM elacsym_search(NULL::docs, vector => $1::vector, text => $2, k => 10,"
          f" vector_window => {WINDOW}, text_window => {WINDOW}) s")


def rrf(distance, text_leg):
    """The CTE that people write: two ranked lists, joined, summed."""
    return f"""
WITH v AS (SELECT id, row_number() OVER () AS place
             FROM (SELECT id FROM docs ORDER BY v {distance} $1 LIMIT {WINDOW}) nearest),
     t AS (SELECT id, row_number() OVER () AS place FROM ({text_leg}) best)
SELECT id FROM v FULL JOIN t USING (id)
 ORDER BY coalesce(1.0 / (60 + v.place), 0) + coalesce(1.0 / (60 + t.place), 0) DESC, id LIMIT 10"""


BM25_LEG = f"SELECT id FROM docs ORDER BY t <@> $2 LIMIT {WINDOW}"
GIN_LEG = (f"SELECT id FROM docs_gin WHERE tsv @@ $2::tsquery"
           f" ORDER BY ts_rank_cd(tsv, $2::tsquery) DESC LIMIT {WINDOW}")


def load(bench, data):
    """Table docs (id, pid, t, v); t is title and text."""
    with Connection(bench.conninfo) as connection:
        connection.execute("DROP TABLE IF EXISTS docs, docs_gin")
        connection.execute(f"CREATE TABLE docs (id int NOT NULL, pid text, t text, v vector({data.dimension}))")
        connection.copy("COPY docs FROM STDIN (FORMAT binary)",
                        copy_binary((i, d[0], d[1] + " " + d[2], vector_binary(v))
                                    for i, (d, v) in enumerate(zip(data.docs, data.base))))
        connection.execute("VACUUM (ANALYZE, FREEZE) docs")
        return {"rows": len(data.base), "dimensions": data.dimension, "queries": len(data.texts),
                "table_mb": round(int(connection.value("SELECT pg_table_size('docs')")) / 1e6, 1),
                "text_mb": round(int(connection.value("SELECT sum(octet_length(t)) FROM docs")) / 1e6, 1)}


class Documents:
    def __init__(self, bench, data):
        self.bench, self.data, self.judge = bench, data, Judge(data)
        self.metric = "cos" if "cos" in data.truth else next(iter(data.truth))
        self.opclass, self.distance = METRICS[self.metric]
        self.questions = [t[1] for t in data.texts]
        self.vectors = list(map(vector_binary, data.queries))

    def tsqueries(self, texts, sign):
        """Texts as tsquery: their lexemes joined by | or &; made beforehand and not timed."""
        with Connection(self.bench.conninfo) as connection:
            call = connection.prepare(
                "SELECT coalesce(string_agg(quote_literal(lexeme), $2), '') FROM unnest(to_tsvector('english', $1))")
            return [connection.rows(call(text, f" {sign} ").run())[0][0] for text in texts]

    def ask(self, sql, parameters, judged=True):
        """Figures of a statement over lists of parameters, one list a query."""
        with Connection(self.bench.conninfo) as connection:
            prepared = connection.prepare(sql)
            figures, answers = run_rounds(connection, [prepared(*p) for p in parameters],
                                          self.bench.rounds, self.bench.budget_s)
            return {**(self.judge.marks(answers) if judged else {}), **figures}

    def tell(self, name, figures):
        marks = ", ".join(f"{k} {figures[k]:.4f}" for k in ("overlap_at_10", "ndcg_at_10", "answered_at_10") if k in figures)
        self.bench.say(f"    {name}: {figures['qps']:.1f} queries/s, p50 {figures['p50_ms']} ms {marks}")

    def text_plan(self, sql, text):
        with Connection(self.bench.conninfo) as connection:
            return plan_of(connection, sql, "text", "'" + text.replace("'", "''") + "'")

    def text(self):
        """BM25 by elacsym with two configurations, ts_rank_cd by GIN."""
        out = {}
        for name, config in (("elacsym", "english"), ("elacsym, 33 stop words", "public.bench_english")):
            built = build(self.bench.conninfo,
                          [f"CREATE INDEX bench_text ON docs USING elacsym (t text_bm25_ops (config = '{config}'))"],
                          "bench_text")
            out[name] = {"build": built, "sql": BM25, "plan": self.text_plan(BM25, self.questions[0]),
                         "questions": self.ask(BM25, [(q,) for q in self.questions])}
            if config == "english" and self.data.short:
                out[name]["short"] = self.ask(BM25, [(q,) for q in self.data.short], judged=False)
            self.tell(name, out[name]["questions"])
            with Connection(self.bench.conninfo) as connection:
                connection.execute("DROP INDEX bench_text")
        self.gin(out)
        return out

    def gin(self, out):
        """Stored tsvectors, as the manual recommends; their making counts as building."""
        built = build(self.bench.conninfo,
                      ["CREATE TABLE docs_gin AS SELECT id, to_tsvector('english', t) AS tsv FROM docs",
                       "CREATE INDEX bench_gin ON docs_gin USING gin (tsv)"], "bench_gin")
        with Connection(self.bench.conninfo) as connection:
            connection.execute("VACUUM (ANALYZE, FREEZE) docs_gin")
            stored = int(connection.value("SELECT sum(pg_column_size(tsv)) FROM docs_gin"))
            built["stored_tsvectors_mb"] = round(stored / 1e6, 1)
        for name, sign in (("GIN, any word", "|"), ("GIN, all words", "&")):
            out[name] = {"sql": RANK_CD, "questions": self.ask(RANK_CD, [(q,) for q in self.tsqueries(self.questions, sign)])}
            if self.data.short:
                out[name]["short"] = self.ask(RANK_CD, [(q,) for q in self.tsqueries(self.data.short, sign)], judged=False)
            self.tell(name, out[name]["questions"])
        out["GIN, any word"]["build"] = built

    def hybrid(self):
        """Both legs and their fusion: one elacsym index, then pgvector's HNSW with GIN."""
        out = {"legs": {}, "fused": {}}
        bench = self.bench
        built = build(bench.conninfo, [f"CREATE INDEX bench_hybrid ON docs USING elacsym"
                                       f" (v {self.opclass}, t text_bm25_ops (config = 'english'))"], "bench_hybrid")
        nearest = f"SELECT id FROM docs ORDER BY v {self.distance} $1 LIMIT 10"
        both = list(zip(self.vectors, self.questions))
        out["legs"]["elacsym, vector leg"] = self.ask(nearest, [(v,) for v in self.vectors])
        out["legs"]["elacsym, BM25 leg"] = self.ask(BM25, [(q,) for q in self.questions])
        for name, sql in (("elacsym_search()", SEARCH), ("CTE over elacsym", rrf(self.distance, BM25_LEG))):
            out["fused"][name] = {"sql": sql, **self.ask(sql, both)}
            self.tell(name, out["fused"][name])
        out["fused"]["elacsym_search()"]["build"] = built
        with Connection(bench.conninfo) as connection:
            connection.execute("DROP INDEX bench_hybrid")
        if bench.has("hnsw-64"):
            self.hybrid_pgvector(out)
        return out

    def hybrid_pgvector(self, out):
        system = next(s for s in vectors.SYSTEMS if s.name == "hnsw-64")
        build(self.bench.conninfo, [system.ddl("bench_vector", "docs", "v", self.opclass, len(self.data.base))], "bench_vector")
        sql = rrf(self.distance, GIN_LEG)
        name = "CTE over HNSW and GIN"
        with Connection(self.bench.conninfo) as connection:
            connection.execute(f"ALTER DATABASE {self.bench.database} SET hnsw.ef_search = {WINDOW}")
        out["fused"][name] = {"sql": sql, "set": f"hnsw.ef_search = {WINDOW}",
                              **self.ask(sql, list(zip(self.vectors, self.tsqueries(self.questions, "|"))))}
        self.tell(name, out["fused"][name])
        with Connection(self.bench.conninfo) as connection:
            connection.execute(f"ALTER DATABASE {self.bench.database} RESET hnsw.ef_search")
            connection.execute("DROP INDEX bench_vector")


def run(bench, data):
    documents = Documents(bench, data)
    bench.say("  text")
    text = documents.text()
    bench.say("  hybrid")
    return {"metric": documents.metric, "text": text, "hybrid": documents.hybrid(), "load_average": load_average()}
