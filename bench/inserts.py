#!/usr/bin/python3
"""What a single-row INSERT costs a table with a vector index, and what the rows inserted cost queries.

Loads a set of vectors into an empty database of a server that is there, builds
each index in turn and inserts new rows, near copies of rows that are there, one
by one: prepared, some in one transaction and each in its own.  For elacsym it
also times a query over an empty and a full delta.  Writes DATE-inserts-SET.json
and .md.  bench/README.md says how to read them.
"""
import argparse
import datetime
import json
import os
import time

import numpy as np

import datasets
import measure
import vectors
from libpq import Connection, vector_binary
from quality import K

NOISE = 0.01        # length of what a new row differs by from the row it copies
FIRST_ID = 10**7    # ids of new rows
BATCHES = (100, 1)  # rows in a transaction
DELTAS = (0, 1000, 2000)
TITLES = {"none": "no index", "elacsym": "elacsym", "hnsw-64": "HNSW, ef_construction 64",
          "hnsw-200": "HNSW, ef_construction 200", "ivfflat": "IVFFlat"}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conninfo", required=True, help="of an empty database")
    parser.add_argument("--data", required=True, help="folder with the data")
    parser.add_argument("--work", default="/tmp", help="folder for unpacked data")
    parser.add_argument("--out", default=".", help="folder for results")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--set", required=True)
    parser.add_argument("--metric", default="", help="l2, cos or ip (default: the first that has a truth)")
    parser.add_argument("--systems", default="none,elacsym,hnsw-64", help="of none, elacsym, hnsw-64, hnsw-200, ivfflat")
    parser.add_argument("--rows", type=int, default=10000, help="rows inserted, with 100 in a transaction")
    parser.add_argument("--rows-slow", type=int, default=1000, help="the same for indexes other than elacsym, and for "
                        "one row a transaction")
    parser.add_argument("--existing", type=int, help="rows that are there before: the first of the set")
    return parser.parse_args()


class Bench:
    """What vectors.py wants to know."""
    reuse = ""

    def __init__(self, conninfo):
        self.conninfo = conninfo


def new_rows(base, count, seed):
    rng = np.random.default_rng(seed)
    rows = base[rng.integers(0, len(base), count)]
    length = np.linalg.norm(rows, axis=1, keepdims=True) / rows.shape[1]**.5
    return (rows + NOISE * length * rng.standard_normal(rows.shape)).astype("f4")


def spread(seconds):
    ms = np.array(seconds) * 1e3
    return {"p50_ms": round(float(np.percentile(ms, 50)), 3), "p99_ms": round(float(np.percentile(ms, 99)), 3),
            "max_ms": round(float(ms.max()), 3)}


def insert(bench, rows, batch):
    """Inserts rows, `batch` in a transaction; what it cost."""
    inserts, commits = [], []
    with Connection(bench.conninfo) as connection:
        prepared = connection.prepare("INSERT INTO items VALUES ($1::int, 0, $2::vector)")
        calls = [prepared(str(FIRST_ID + i), vector_binary(row)) for i, row in enumerate(rows)]
        connection.execute("CHECKPOINT")
        lsn = connection.value("SELECT pg_current_wal_insert_lsn()")
        neighbours, processor_s = measure.Neighbours(), measure.process_s(connection.pid)
        begin = time.perf_counter()
        for first in range(0, len(calls), batch):
            if batch > 1:
                connection.execute("BEGIN")
            for call in calls[first:first + batch]:
                start = time.perf_counter()
                result = call.run()
                inserts.append(time.perf_counter() - start)
                connection.rows(result)
            if batch > 1:
                start = time.perf_counter()
                connection.execute("COMMIT")
                commits.append(time.perf_counter() - start)
        seconds = time.perf_counter() - begin
        processor_s = measure.process_s(connection.pid) - processor_s
        wal = float(connection.value(f"SELECT pg_current_wal_insert_lsn() - '{lsn}'::pg_lsn"))
        return {"batch": batch, "rows": len(rows), "rows_per_s": round(len(rows) / seconds, 1),
                "processor_us_per_row": round(processor_s * 1e6 / len(rows), 1),
                "wal_bytes_per_row": round(wal / len(rows)), "insert": spread(inserts),
                **({"commit": spread(commits)} if commits else {}), "neighbours_cores": neighbours.cores(processor_s)}


def remove_new_rows(bench):
    with Connection(bench.conninfo) as connection:
        connection.execute(f"DELETE FROM items WHERE id >= {FIRST_ID}")
        connection.execute("VACUUM items")


def delta_queries(bench, data, metric):
    """The same queries with no row in the delta and with so many; the delta is not flushed meanwhile."""
    sql = f"SELECT id FROM items ORDER BY v {datasets.METRICS[metric][1]} $1 LIMIT {K}"
    rows = new_rows(data.base, max(DELTAS), 3)
    points = []
    with Connection(bench.conninfo) as connection:
        connection.execute("SET elacsym.delta_limit = 1000000")
        connection.execute(f"SELECT elacsym_flush('{data.index}')")
        prepared = connection.prepare("INSERT INTO items VALUES ($1::int, 0, $2::vector)")
        calls = list(map(connection.prepare(sql), map(vector_binary, data.queries)))
        there = 0
        for wanted in DELTAS:
            connection.execute("BEGIN")
            for i in range(there, wanted):
                connection.rows(prepared(str(FIRST_ID + i), vector_binary(rows[i])).run())
            connection.execute("COMMIT")
            there = wanted
            figures, _ = measure.run_rounds(connection, calls, 5, 2.0)
            points.append({"delta_rows": wanted, **figures})
    return points


def system_of(name):
    return next((s for s in vectors.SYSTEMS if s.name == name), None)


def measure_system(bench, data, metric, name, options):
    system = system_of(name)
    result = {"inserts": []}
    if system is not None:
        result["build"] = vectors.make_index(bench, data, metric, "items", system)
    for batch in BATCHES:
        count = options.rows if batch > 1 and name in ("none", "elacsym") else options.rows_slow
        result["inserts"].append(insert(bench, new_rows(data.base, count, 2), batch))
        print(f"  {name}, {batch} in a transaction: {result['inserts'][-1]}", flush=True)
        remove_new_rows(bench)
    if name == "elacsym":
        data.index = system.index(metric)
        result["delta"] = delta_queries(bench, data, metric)
        for point in result["delta"]:
            print(f"  {point['delta_rows']} rows in the delta: p50 {point['p50_ms']} ms", flush=True)
        remove_new_rows(bench)
    if system is not None:
        with Connection(bench.conninfo) as connection:
            connection.execute(f"DROP INDEX {system.index(metric)}")
    return result


# ---- the report ----

def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]) + "\n"


def report(result):
    machine = result["machine"]
    text = [f"# Inserts into {result['set']}, {result['date']}\n",
            f"{result['rows']:,} rows of {result['dimensions']} dimensions, {result['metric']}; commit {result['commit']}, "
            f"PostgreSQL {result['postgresql']}; {machine['cpu']}, {machine['cores']} cores. full_page_writes "
            f"{result['full_page_writes']}, fsync {result['fsync']}.\n",
            table(["index", "rows a transaction", "rows", "rows/s", "processor us/row", "WAL bytes/row", "insert p50 ms",
                   "p99 ms", "max ms", "commit p50 ms", "neighbours' cores"],
                  [[TITLES[n], i["batch"], i["rows"], i["rows_per_s"], i["processor_us_per_row"], i["wal_bytes_per_row"],
                    i["insert"]["p50_ms"], i["insert"]["p99_ms"], i["insert"]["max_ms"],
                    i["commit"]["p50_ms"] if "commit" in i else "", i["neighbours_cores"]]
                   for n, s in result["systems"].items() for i in s["inserts"]])]
    delta = result["systems"].get("elacsym", {}).get("delta", [])
    if delta:
        text.append(table(["rows in the delta", "queries/s", "p50 ms", "p99 ms", "processor ms", "of the empty delta's"],
                          [[d["delta_rows"], d["qps"], d["p50_ms"], d["p99_ms"], d["processor_ms"],
                            f"{d['processor_ms'] / delta[0]['processor_ms']:.2f}"] for d in delta]))
    return "\n".join(text)


def main():
    options = arguments()
    data = datasets.DataSet(options.set, datasets.unpack(options.data, options.set, options.work))
    metric = options.metric or next(iter(data.truth), "l2")
    data.base = data.base[:options.existing]
    bench = Bench(options.conninfo)
    with Connection(bench.conninfo) as connection:
        if connection.execute("SELECT FROM pg_available_extensions WHERE name = 'vector'"):
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute("CREATE EXTENSION IF NOT EXISTS elacsym")
        there = {r[0] for r in connection.execute("SELECT amname FROM pg_am")}
        about = {name: connection.value(f"SHOW {name}") for name in ("full_page_writes", "fsync")}
        about["postgresql"] = connection.value("SHOW server_version")
    vectors.load(bench, data)
    result = {"set": options.set, "metric": metric, "rows": len(data.base), "dimensions": data.dimension,
              "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
              "commit": options.commit, "machine": measure.machine(), **about, "systems": {}}
    for name in options.systems.split(","):
        system = system_of(name)
        if name == "none" or system.method in there:
            result["systems"][name] = measure_system(bench, data, metric, name, options)
    stem = os.path.join(options.out, f"{result['date'][:10]}-inserts-{options.set}")
    with open(stem + ".json", "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)
        out.write("\n")
    with open(stem + ".md", "w", encoding="utf-8") as out:
        out.write(report(result))
    print(report(result))


if __name__ == "__main__":
    main()
