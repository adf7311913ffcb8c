#!/usr/bin/python3
"""Full text in SQL: what BM25 costs beside GIN with ts_rank_cd, and beside any other index that is named.

Loads the documents of one set into an empty database of a server that is there
and builds, one after the other, elacsym's index with and without positions, GIN
over stored tsvectors, and the peer of --peer-ddl.  Each answers the same
queries: whole questions, short ones, and pairs of words that more than a tenth
of the documents have, as OR, AND and phrase; ten, 100 and 1000 rows of them; and
how many documents match.  Writes DATE-text-SET.json and .md.  bench/README.md
says how to read them.
"""
import argparse
import datetime
import itertools
import json
import os
import shlex
import sys

import datasets
import measure
from libpq import Connection, copy_binary
from quality import Judge

COMMON_PART = 0.1       # of the documents that a common word is in
COMMON_WORDS = 12       # at most; every pair of them is a query
DEPTHS = (10, 100, 1000)
SETTINGS = ("shared_buffers", "maintenance_work_mem", "work_mem", "random_page_cost", "fsync", "full_page_writes", "jit",
            "autovacuum", "max_parallel_maintenance_workers", "max_parallel_workers_per_gather", "default_text_search_config",
            "shared_preload_libraries")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conninfo", required=True, help="of an empty database")
    parser.add_argument("--data", required=True, help="folder of one set: docs.tsv, queries.tsv; answers.tsv, sbg_queries.jsonl")
    parser.add_argument("--out", default=".", help="folder for results")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--note", default="")
    parser.add_argument("--systems", default="elacsym,elacsym-bare,gin", help="of elacsym, elacsym-bare (no positions), gin")
    parser.add_argument("--rows", type=int, help="the first rows of the set alone")
    parser.add_argument("--queries", type=int, default=1000, help="at most so many of each kind")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=5.0, help="seconds a timed round may take; else queries are left out")
    parser.add_argument("--set", action="append", default=[], help="name=value for the asking sessions; may be repeated")
    parser.add_argument("--reuse", action="store_true", help="tables of an earlier run are there")
    parser.add_argument("--peer", default="peer", help="what results call it")
    parser.add_argument("--peer-ddl", action="append", default=[], help="statement that makes an index on passages (id int, "
                        "body text); may be repeated, the last is the one that is timed")
    parser.add_argument("--peer-index", default="peer_idx", help="the index's name")
    parser.add_argument("--peer-sql", default="", help="ranks by words: $1 the words, {k} the rows wanted, ids come back")
    parser.add_argument("--peer-and-sql", default="", help="the same for all words; $1 is 'a & b'")
    parser.add_argument("--peer-phrase-sql", default="", help="the same for a phrase; $1 is 'a <-> b'")
    parser.add_argument("--peer-count-sql", default="", help="counts matches; $1 is 'a | b'")
    return parser.parse_args()


# ---- systems: how each is built and asked ----

class System:
    """shapes: {shape of the query: statement}; words are asked as they are, other shapes as a tsquery."""

    def __init__(self, name, title, index, statements, shapes, dropped):
        self.name, self.title, self.index = name, title, index
        self.statements, self.shapes, self.dropped = statements, shapes, dropped


def elacsym(name, title, options):
    ranked = "SELECT id FROM passages WHERE body @@ $1::tsquery ORDER BY body <@> $1::tsquery LIMIT {k}"
    shapes = {"words": "SELECT id FROM passages ORDER BY body <@> $1 LIMIT {k}", "and": ranked,
              "count": "SELECT count(*) FROM passages WHERE body @@ $1::tsquery"}
    if "positions = off" not in options:
        shapes["phrase"] = ranked
    return System(name, title, "bench_text",
                  [f"CREATE INDEX bench_text ON passages USING elacsym (body text_bm25_ops (config = 'english'{options}))"],
                  shapes, ["DROP INDEX bench_text"])


def systems(options):
    ranked = ("SELECT id FROM passages_tsv WHERE tsv @@ $1::tsquery"
              " ORDER BY ts_rank_cd(tsv, $1::tsquery) DESC LIMIT {k}")
    known = [elacsym("elacsym", "elacsym", ""), elacsym("elacsym-bare", "elacsym, positions = off", ", positions = off"),
             System("gin", "GIN on a stored tsvector, ts_rank_cd", "bench_gin",
                    ["CREATE INDEX bench_gin ON passages_tsv USING gin (tsv)"],
                    {"or": ranked, "and": ranked, "phrase": ranked,
                     "count": "SELECT count(*) FROM passages_tsv WHERE tsv @@ $1::tsquery"}, ["DROP INDEX bench_gin"])]
    chosen = [s for s in known if s.name in options.systems.split(",")]
    if options.peer_ddl:
        shapes = {"words": options.peer_sql, "and": options.peer_and_sql, "phrase": options.peer_phrase_sql,
                  "count": options.peer_count_sql}
        chosen.append(System("peer", options.peer, options.peer_index, options.peer_ddl,
                             {k: v for k, v in shapes.items() if v}, [f"DROP INDEX IF EXISTS {options.peer_index}"]))
    return chosen


# ---- data and queries ----

def load(options, data):
    """Tables passages (id, body), body being title and text, and passages_tsv (id, tsv)."""
    with Connection(options.conninfo) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS elacsym")
        if not (options.reuse and connection.value("SELECT to_regclass('passages_tsv')")):
            connection.execute("DROP TABLE IF EXISTS passages, passages_tsv")
            connection.execute("CREATE TABLE passages (id int NOT NULL, body text)")
            connection.copy("COPY passages FROM STDIN (FORMAT binary)",
                            copy_binary((i, " ".join(d[1:])) for i, d in enumerate(data.docs)))
            connection.execute("CREATE TABLE passages_tsv AS SELECT id, to_tsvector('english', body) AS tsv FROM passages")
            connection.execute("VACUUM (ANALYZE, FREEZE) passages")
            connection.execute("VACUUM (ANALYZE, FREEZE) passages_tsv")
        return {"rows": int(connection.value("SELECT count(*) FROM passages")),
                "text_mb": round(int(connection.value("SELECT sum(octet_length(body)) FROM passages")) / 1e6, 1),
                "tsvector_mb": round(int(connection.value("SELECT sum(pg_column_size(tsv)) FROM passages_tsv")) / 1e6, 1)}


def common_words(connection, rows):
    """Lexemes that more than a tenth of the documents have, of those that analysis leaves as they are."""
    step = max(rows // 20000, 1)
    candidates = connection.execute(
        f"SELECT word FROM ts_stat('SELECT tsv FROM passages_tsv WHERE id % {step} = 0')"
        f" WHERE word ~ '^[a-z]+$' AND to_tsvector('english', word) = to_tsvector('simple', word)"
        f" AND ndoc > {0.8 * COMMON_PART * rows / step} ORDER BY ndoc DESC LIMIT {3 * COMMON_WORDS}")
    words = {}
    for (word,) in candidates:
        count = int(connection.value(f"SELECT count(*) FROM passages_tsv WHERE tsv @@ '{word}'::tsquery"))
        if count > COMMON_PART * rows and len(words) < COMMON_WORDS:
            words[word] = count
    return words


class Queries:
    """Every kind of query as words and as tsqueries; {kind: {shape: texts}}."""

    def __init__(self, options, data, rows):
        with Connection(options.conninfo) as connection:
            connection.execute("SET default_text_search_config = 'english'")
            self.common = common_words(connection, rows)
            self.kinds = {}
            questions = [t[1] for t in data.texts][:options.queries]
            short = [q for q in data.short if " " in q and '"' not in q][:options.queries]
            for kind, texts in (("questions", questions), ("short queries", short)):
                if texts:
                    joined = [self.tsquery(connection, t) for t in texts]
                    self.kinds[kind] = {"words": texts, "or": joined, "count": joined}
            pairs = list(itertools.combinations(self.common, 2))[:options.queries]
            if pairs:
                self.kinds["two common words, OR"] = {"words": [" ".join(p) for p in pairs], "or": [" | ".join(p) for p in pairs],
                                                      "count": [" | ".join(p) for p in pairs]}
                both = [" & ".join(p) for p in pairs]
                self.kinds["two common words, AND"] = {"and": both, "count": both}
                phrases = [" <-> ".join(p) for pair in pairs for p in (pair, pair[::-1])][:options.queries]
                self.kinds["two common words, phrase"] = {"phrase": phrases}

    @staticmethod
    def tsquery(connection, text):
        """The text's lexemes joined by |; made beforehand and not timed."""
        quoted = text.replace("'", "''")
        return connection.value("SELECT coalesce(string_agg(quote_literal(lexeme), ' | '), '')"
                                f" FROM unnest(to_tsvector('english', '{quoted}'))")


# ---- measuring ----

def ask(options, judge, sql, texts, judged):
    with Connection(options.conninfo) as connection:
        connection.execute("SET default_text_search_config = 'english'")
        for setting in options.set:
            connection.execute("SET " + setting)
        prepared = connection.prepare(sql)
        figures, answers = measure.run_rounds(connection, [prepared(t) for t in texts], options.rounds, options.budget)
        plan = measure.plan_of(connection, sql, "text", "'" + texts[0].replace("'", "''") + "'")
        rows = [len(r) for r in answers.values()]
        return {"sql": sql, "plan": plan, "rows_mean": round(sum(rows) / len(rows), 1),
                **(judge.marks(answers) if judged else {}), **figures}


def measure_system(options, data, queries, system, text_mb):
    judge = Judge(data)
    for statement in system.statements[:-1]:
        with Connection(options.conninfo) as connection:
            connection.execute(statement)
    built = measure.build(options.conninfo, system.statements[-1:], system.index)
    built["of_text"] = round(built["size_mb"] / text_mb, 3)
    print(f"  {system.title}: built in {built['build_s']} s, {built['size_mb']} MB, {built['of_text']} of the text", flush=True)
    result = {"title": system.title, "build": built, "queries": {}}
    for kind, shapes in queries.kinds.items():
        for shape, texts in shapes.items():
            if shape not in system.shapes:
                continue
            for depth in DEPTHS if shape != "count" else (0,):
                if depth > 10 and system.name == "gin":
                    continue    # it ranks every match whatever the limit
                judged = kind == "questions" and depth == 10
                figures = ask(options, judge, system.shapes[shape].replace("{k}", str(depth)), texts, judged)
                name = f"{kind}, count(*)" if shape == "count" else f"{kind}, {depth} rows"
                result["queries"][name] = figures
                print(f"    {name}: p50 {figures['p50_ms']} p95 {figures['p95_ms']} ms, {figures['plan']}"
                      + (f", answered {figures['answered_at_10']}" if "answered_at_10" in figures else ""), flush=True)
    for statement in system.dropped:
        with Connection(options.conninfo) as connection:
            connection.execute(statement)
    return result


# ---- the report ----

def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join("" if c is None else str(c) for c in row) + " |" for row in rows]) + "\n"


def report(result):
    machine = result["machine"]
    settings = ", ".join(f"{k} {v}" for k, v in result["settings"].items() if v)
    text = [f"# Text of {result['set']}, {result['date']}\n",
            f"{result['table']['rows']:,} rows, {result['table']['text_mb']} MB of text ({result['table']['tsvector_mb']} MB of stored"
            f" tsvectors). PostgreSQL {result['postgresql']}, elacsym {result['elacsym']} (commit {result['commit']}).",
            f"{machine['cpu']} ({', '.join(machine['simd'])}), {machine['cores']} cores, {machine['memory_gb']} GB, kernel {machine['kernel']}.",
            f"Load average before {result['load_average_before']}, after {result['load_average_after']}."]
    if result["note"]:
        text.append(result["note"])
    words = ", ".join(f"{w} {n / result['table']['rows']:.0%}" for w, n in result["common_words"].items())
    text += [f"Common words: {words}.", f"Settings: {settings}.", f"Command: `{result['command']}`\n", "## Indexes\n",
             table(["index", "build s", "processor s", "MB", "of the text", "WAL MB", "peak private MB", "workers' shared MB"],
                   [[s["title"], b["build_s"], b["processor_s"], b["size_mb"], b["of_text"], b["wal_mb"], b["peak_private_mb"],
                     b["peak_worker_shared_mb"]] for s in result["systems"].values() for b in (s["build"],)])]
    names = list(dict.fromkeys(n for s in result["systems"].values() for n in s["queries"]))
    text.append("\n## Queries\n")
    for name in names:
        text.append(f"{name[0].upper() + name[1:]}:\n")
        text.append(table(["index", "p50 ms", "p95 ms", "p99 ms", "processor ms", "rows", "answer in top 10", "judged / timed",
                           "neighbours' cores", "plan"],
                          [[s["title"], f["p50_ms"], f["p95_ms"], f["p99_ms"], f["processor_ms"], f["rows_mean"],
                            f.get("answered_at_10"), f"{f['queries_judged']} / {f['queries_timed']}", f["neighbours_cores"], f["plan"]]
                           for s in result["systems"].values() if name in s["queries"] for f in (s["queries"][name],)]))
    return "\n".join(text)


def write(options, result):
    """What there is so far: a system that fails does not take the others' figures with it."""
    stem = os.path.join(options.out, f"{result['date'][:10]}-text-{result['set']}")
    with open(stem + ".json", "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)
        out.write("\n")
    with open(stem + ".md", "w", encoding="utf-8") as out:
        out.write(report(result))
    print(stem + ".md", flush=True)


def command(program):
    """The command line without the places of this machine."""
    words, hidden = [], False
    for word in sys.argv[1:]:
        words.append("..." if hidden else shlex.quote(word))
        hidden = word in ("--conninfo", "--data", "--out", "--note")
    return " ".join([program] + words)


def about(options):
    with Connection(options.conninfo) as connection:
        connection.execute("SET default_text_search_config = 'english'")
        return {"commit": options.commit, "note": options.note,
                "command": command("bench/text.py"),
                "machine": measure.machine(), "postgresql": connection.value("SHOW server_version"),
                "elacsym": connection.value("SELECT extversion FROM pg_extension WHERE extname = 'elacsym'"),
                "settings": {name: connection.value(f"SHOW {name}") for name in SETTINGS}}


def main():
    options = arguments()
    path = os.path.abspath(options.data)
    data = datasets.DataSet(os.path.basename(path), path)
    if options.rows:
        data.docs, data.reference = data.docs[:options.rows], {}
    before = measure.load_average()
    loaded = load(options, data)
    queries = Queries(options, data, loaded["rows"])
    result = {"set": data.name, "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"), **about(options),
              "table": loaded, "common_words": queries.common, "load_average_before": before, "systems": {}}
    for system in systems(options):
        result["systems"][system.name] = measure_system(options, data, queries, system, loaded["text_mb"])
        result["load_average_after"] = measure.load_average()
        write(options, result)


if __name__ == "__main__":
    main()
