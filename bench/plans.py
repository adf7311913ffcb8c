#!/usr/bin/python3
"""Does the planner choose well?  Times every plan it could have chosen.

Makes tables of several sizes and dimensions in an empty database of a server
that is there, asks ordered and filtered queries over them, and for each runs
the plan that default settings give and those that enable_* settings force.
Prints, and writes as DATE-plans.md, the processor time of each and the ratio
of the chosen one to the best.  bench/README.md says how to read it.
"""
import argparse
import datetime
import json
import os

import numpy as np

import measure
from libpq import Connection, ServerError, copy_binary, vector_binary

QUERIES = 5  # different vectors asked for in each cell, after one to warm up
SHORT_MS = 50  # shorter ones are measured twice
EQUAL_MS = .03  # what cannot be told apart
CELL_S = 3.0  # a plan that takes longer than this is run fewer times
PARTS = 10000  # values of the column that a btree serves
FORCED = {
    "chosen": {},
    "index": {"enable_seqscan": "off", "enable_sort": "off", "enable_bitmapscan": "off", "elacsym.enable_customscan": "off"},
    "custom": {"enable_seqscan": "off", "enable_sort": "off", "enable_bitmapscan": "off", "enable_indexscan": "off"},
    "sequential": {"enable_indexscan": "off", "enable_bitmapscan": "off", "enable_indexonlyscan": "off",
                   "elacsym.enable_customscan": "off"},
    "bitmap": {"enable_indexscan": "off", "enable_seqscan": "off", "enable_indexonlyscan": "off",
               "elacsym.enable_customscan": "off"},
    "btree": {"enable_seqscan": "off", "enable_bitmapscan": "off", "elacsym.enable_customscan": "off"},
}
SETTINGS = sorted({name for forced in FORCED.values() for name in forced})
CONDITIONS = {
    "all": "",
    ".01%": "WHERE part = 4321",
    "1%": "WHERE hundred = 7",
    "50%": "WHERE hundred < 50",
    "1%, not indexed": "WHERE other = 7",
    "50%, not indexed": "WHERE other < 50",
}


# ---- data ----

def points(rows, dim, seed):
    """Clusters of rank min(dim, 20) with noise: neither uniform nor well apart."""
    rng = np.random.default_rng(seed)
    shape = np.random.default_rng(dim)
    rank = min(dim, 20)
    basis = shape.standard_normal((rank, dim)).astype("f4") / np.sqrt(rank)
    centers = shape.standard_normal((400, rank)).astype("f4")
    latent = centers[rng.integers(0, len(centers), rows)] + .7 * rng.standard_normal((rows, rank), dtype="f4")
    return latent @ basis + .05 * rng.standard_normal((rows, dim), dtype="f4")


def load(connection, table, rows, dim):
    rng = np.random.default_rng(rows + dim)
    connection.execute(f"""CREATE TABLE {table} (id int PRIMARY KEY, part int, hundred int, other int, title text, v vector({dim}))
        WITH (autovacuum_enabled = off)""")
    done = 0
    while done < rows:
        n = min(20000, rows - done)
        vectors = points(n, dim, 1000 + done)
        columns = rng.integers(0, (PARTS, 100, 100), (n, 3))
        connection.copy(f"COPY {table} FROM STDIN (FORMAT binary)", copy_binary(
            (done + i, *(np.int32(c) for c in columns[i]), f"row w{columns[i][1]} u{columns[i][0]}", vector_binary(vectors[i]))
            for i in range(n)))
        done += n
    connection.execute(f"CREATE INDEX {table}_idx ON {table} USING elacsym (v, part, hundred)")
    connection.execute(f"CREATE INDEX {table}_part ON {table} (part)")
    connection.execute(f"VACUUM ANALYZE {table}")


# ---- plans ----

def scans(node):
    """The leaves of a plan and what is done with them, as one line."""
    kind = node["Node Type"].replace("Custom Scan", node.get("Custom Plan Provider", "Custom Scan"))
    index = node.get("Index Name") or node.get("Index")
    name = f"{kind} {index}" if index else kind
    below = [scans(child) for child in node.get("Plans", [])]
    if kind in ("Limit", "Result", "Subquery Scan", "Aggregate") and len(below) == 1:
        return below[0]
    return f"{name} ({', '.join(below)})" if below else name


def use(connection, forced):
    for name in SETTINGS:
        connection.execute(f"RESET {name}")
    for name, value in forced.items():
        connection.execute(f"SET {name} = {value}")


class Plan:
    """A prepared statement under settings: what it is, what the planner thinks of it, how long it takes."""

    def __init__(self, connection, sql, forced, binary):
        use(connection, forced)
        self.connection = connection
        self.call = connection.prepare(sql)
        literal = sql.replace("$1", f"'{binary[0][0]}'") if binary else sql
        plan = json.loads("".join(r[0] for r in connection.execute("EXPLAIN (FORMAT json) " + literal)))[0]["Plan"]
        self.name = scans(plan)
        self.cost = plan["Total Cost"]
        self.vectors = [v for _, v in binary] if binary else [None]
        self.ms = float("inf")

    def run(self, vector):
        call = self.call(*([vector] if vector is not None else []))
        before = measure.process_s(self.connection.pid)
        result = call.run()
        rows = self.connection.rows(result)
        return (measure.process_s(self.connection.pid) - before) * 1e3, len(rows)

    def measure(self):
        """The median; called again, the smaller of both: what ran first pays for what was cold."""
        first, self.rows = self.run(self.vectors[0])
        times = []
        for vector in (self.vectors * QUERIES)[1:1 + QUERIES]:
            times.append(self.run(vector)[0])
            if sum(times) + first > CELL_S * 1e3:
                break
        self.ms = min(self.ms, float(np.median(times)))


def cell(connection, sql, binary):
    """Every different plan of a query, the chosen one first."""
    plans = {}
    for forced in FORCED.values():
        plan = Plan(connection, sql, forced, binary)
        if plan.name in plans or plan.cost >= 1e9 and plans:
            continue
        plan.measure()
        plans[plan.name] = plan
    for plan in plans.values():
        if plan.ms < SHORT_MS:
            plan.measure()
    use(connection, {})
    return list(plans.values())


# ---- the cells ----

def ordered_cells(tables, limits):
    for table, rows, dim in tables:
        for condition, where in CONDITIONS.items():
            for limit in limits:
                if limit is not None and limit > rows * 2 or limit is None and rows > 100000:
                    continue
                yield (f"{rows} x {dim}", condition, limit or "none", table,
                       f"SELECT id FROM {table} {where} ORDER BY v <-> $1 {f'LIMIT {limit}' if limit else ''}")


def other_cells(tables):
    for table, rows, dim in tables:
        name = f"{rows} x {dim}"
        for condition in (".01%", "1%", "50%"):
            yield name, condition, "count(*)", table, f"SELECT count(*) FROM {table} {CONDITIONS[condition]}"
            yield name, condition, "no order", table, f"SELECT id, title FROM {table} {CONDITIONS[condition]}"
        for outer in (1, 20):
            if outer * 5 <= rows:
                yield (name, "all", f"LATERAL x {outer}", table,
                       f"SELECT o.id, i.id FROM {table} o, LATERAL (SELECT id FROM {table} t ORDER BY t.v <-> o.v LIMIT 10) i WHERE o.id < {outer}")
        yield (name, "1%", "join", table,
               f"SELECT t.id FROM {table} t JOIN {table} o ON o.id = t.part WHERE o.hundred = 7 ORDER BY t.v <-> $1 LIMIT 10")


def vectors_of(connection, table, dim):
    """Text and binary form of the vectors asked for."""
    made = points(QUERIES + 1, dim, 7)
    return [("[" + ",".join(f"{x:.6g}" for x in v) + "]", vector_binary(v)) for v in made]


def run(connection, options):
    dims = [int(d) for d in options.dims.split(",")]
    sizes = [int(s) for s in options.sizes.split(",")]
    limits = [int(x) if x != "none" else None for x in options.limits.split(",")]
    results = []
    for dim in dims:
        tables = []
        for rows in sizes:
            if rows * dim > options.largest:
                continue
            table = f"plans_{dim}_{rows}"
            if connection.value(f"SELECT to_regclass('{table}') IS NULL") == "t":
                load(connection, table, rows, dim)
            tables.append((table, rows, dim))
        binary = vectors_of(connection, table, dim)
        cells = list(ordered_cells(tables, limits)) + list(other_cells(tables))
        for name, condition, limit, table, sql in cells:
            if options.only and options.only not in f"{name}|{condition}|{limit}":
                continue
            try:
                plans = cell(connection, sql, binary if "$1" in sql else None)
            except ServerError as error:
                raise SystemExit(f"{sql}: {error}")
            best = min(plans, key=lambda p: p.ms)
            results.append({"table": name, "condition": condition, "limit": str(limit), "ratio": round((plans[0].ms + EQUAL_MS) / (best.ms + EQUAL_MS), 2),
                            "plans": [{"plan": p.name.replace(table + "_", ""), "cost": p.cost, "ms": round(p.ms, 3), "rows": p.rows}
                                      for p in plans]})
            print(line(results[-1]), flush=True)
    return results


# ---- the report ----

def line(result):
    chosen, *others = result["plans"]
    others = "; ".join(f"{p['plan']} {p['ms']:.4g}" + (f" ({p['cost']:.6g})") for p in others)
    return (f"| {result['table']} | {result['condition']} | {result['limit']} | {chosen['plan']} | {chosen['ms']:.4g} ({chosen['cost']:.6g}) "
            f"| {result['ratio']:.2f} | {others} |")


def report(results, about):
    ratios = np.array([r["ratio"] for r in results])
    out = [f"# Plans, {about['date']}", "",
           f"{about['machine']['cpu']}; {about['version']}; commit {about['commit']}. Milliseconds of the backend's processor time, "
           f"median of {QUERIES} queries; in brackets the planner's cost. The ratio is that of the chosen plan to the fastest, {EQUAL_MS} ms added to both.", "",
           f"{len(results)} cells: ratio at most 1.05 in {np.mean(ratios <= 1.05):.0%}, 1.5 in {np.mean(ratios <= 1.5):.0%}, "
           f"2 in {np.mean(ratios <= 2):.0%}; worst {ratios.max():.2f}.", "",
           "| table | condition | LIMIT | chosen | ms | ratio | the others |", "|---|---|---|---|---|---|---|"]
    return "\n".join(out + [line(r) for r in results]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conninfo", required=True, help="of a database with nothing but, perhaps, pgvector and tables of an earlier run")
    parser.add_argument("--dims", default="3,128,784")
    parser.add_argument("--sizes", default="100,1000,10000,100000,547000")
    parser.add_argument("--largest", type=int, default=80_000_000, help="components in a table; larger ones are left out")
    parser.add_argument("--limits", default="1,10,100,1000,10000,none")
    parser.add_argument("--only", help="cells whose name has this in it")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--out", help="folder for DATE-plans.md and .json")
    options = parser.parse_args()
    with Connection(options.conninfo) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS elacsym")
        connection.execute("SET max_parallel_workers_per_gather = 0")
        connection.execute("SET jit = off")
        connection.execute("SET plan_cache_mode = force_generic_plan")
        about = {"date": datetime.date.today().isoformat(), "machine": measure.machine(), "commit": options.commit,
                 "version": connection.value("SELECT split_part(version(), ' on ', 1)")}
        results = run(connection, options)
    text = report(results, about)
    print("\n".join(text.split("\n")[2:5]))
    if options.out:
        stem = os.path.join(options.out, about["date"] + "-plans")
        with open(stem + ".md", "w", encoding="utf-8") as out:
            out.write(text)
        with open(stem + ".json", "w", encoding="utf-8") as out:
            json.dump({**about, "cells": results}, out, indent=1)
            out.write("\n")


if __name__ == "__main__":
    main()
