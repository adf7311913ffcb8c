#!/usr/bin/python3
"""What an index is worth after all its rows have been replaced without a REINDEX.

Loads half of a set, builds the index, then in rounds deletes a part of the old
rows, inserts as many of the other half, and does what the worker would: VACUUM,
flush, compaction by policy.  At the end it measures recall@10 against exact
search at the default settings, then after a full compaction, and then after
REINDEX of the same rows; of the last two also at equal numbers of codes scored
(several segments need more codes whatever their lists are like).  Two ways to choose the halves: at random (the
distribution stays) and by the side of a plane (new rows lie elsewhere, and come
in the order of their distance from it).  Writes DATE-life-SET.json and .md.
"""
import argparse
import datetime
import json
import os
import time

import numpy as np

import datasets
import measure
from libpq import Connection, copy_binary, vector_binary
from quality import K

OPERATORS = {"l2": "<->", "cos": "<=>", "ip": "<#>"}
CLASSES = {"l2": "vector_l2_ops", "cos": "vector_cosine_ops", "ip": "vector_ip_ops"}
PROBES = (2, 4, 8, 16, 32, 64)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conninfo", required=True, help="of an empty database")
    parser.add_argument("--data", required=True, help="folder with the data")
    parser.add_argument("--work", default="/tmp", help="folder for unpacked data")
    parser.add_argument("--out", default=".", help="folder for results")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--set", required=True)
    parser.add_argument("--metric", default="", help="l2, cos or ip (default: the first that has a truth)")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--drift", default="same,shifted", help="of same, shifted")
    return parser.parse_args()


def halves(base, drift, seed=1):
    """Row numbers: those loaded first, and those that replace them, in order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(base))
    if drift == "shifted":
        some = base[order[:5000]].astype("f8")
        some -= some.mean(axis=0)
        axis = np.linalg.svd(some, full_matrices=False)[2][0]
        order = np.argsort(base @ axis.astype("f4"), kind="stable")
    half = len(base) // 2
    old = order[:half]
    return rng.permutation(old), order[half:2 * half]


def rows_of(base, numbers):
    return ((int(n), vector_binary(base[n])) for n in numbers)


def truth(base, numbers, queries, metric):
    rows = base[numbers]
    found = []
    for first in range(0, len(queries), 100):
        scores = datasets.scores(rows, queries[first:first + 100], metric)
        found += [set(numbers[np.argpartition(line, K)[:K]].tolist()) for line in scores]
    return found


class Life:
    def __init__(self, connection, base, queries, metric):
        self.connection, self.base, self.queries, self.metric = connection, base, queries, metric
        self.select = f"SELECT id FROM life ORDER BY v {OPERATORS[metric]} $1::vector LIMIT {K}"

    def load(self, numbers):
        dim = self.base.shape[1]
        for sql in ("DROP TABLE IF EXISTS life", f"CREATE TABLE life (id int PRIMARY KEY, v vector({dim}))"):
            self.connection.execute(sql)
        self.connection.copy("COPY life FROM STDIN (FORMAT binary)", copy_binary(rows_of(self.base, numbers)))
        self.connection.execute("VACUUM ANALYZE life")
        self.connection.execute(f"CREATE INDEX life_idx ON life USING elacsym (v {CLASSES[self.metric]})")

    def replace(self, old, new):
        begin = time.perf_counter()
        ids = ",".join(str(n) for n in old)
        self.connection.execute(f"DELETE FROM life WHERE id IN ({ids})")
        self.connection.copy("COPY life FROM STDIN (FORMAT binary)", copy_binary(rows_of(self.base, new)))
        inserted = time.perf_counter()
        self.connection.execute("VACUUM life")
        self.connection.execute("SELECT elacsym_flush('life_idx')")
        self.connection.execute("SELECT elacsym_compact('life_idx', false)")
        return inserted - begin, time.perf_counter() - inserted

    def lists(self):
        return [dict(zip(("documents", "lists", "mean", "p99", "longest"), map(float, row))) for row in self.connection.execute(
            "SELECT documents, lists, mean, p99, longest FROM elacsym_lists('life_idx') ORDER BY documents DESC")]

    def point(self, wanted, setting):
        """Recall and codes scored a query."""
        self.connection.execute(setting)
        self.connection.execute("SET enable_seqscan = off")
        call = self.connection.prepare(self.select)
        hits = 0
        for query, ids in zip(self.queries, wanted):
            rows = self.connection.rows(call(vector_binary(query)).run())
            hits += len(ids & {int(row[0]) for row in rows})
        self.connection.execute("SET enable_indexscan = off")
        scored = 0
        for query in self.queries[:50]:
            text = "[" + ",".join(str(x) for x in query) + "]"
            plan = json.loads("".join(row[0] for row in self.connection.execute(
                "EXPLAIN (ANALYZE, FORMAT json) " + self.select.replace("$1::vector", f"'{text}'::vector"))))
            scored += find(plan[0]["Plan"], "Codes Scored")
        self.connection.execute("RESET enable_indexscan")
        self.connection.execute("RESET elacsym.probes")
        return {"recall": hits / K / len(wanted), "scored": scored / 50}

    def measure(self, wanted, with_curve=True):
        curve = [self.point(wanted, f"SET elacsym.probes = {probes}") for probes in PROBES] if with_curve else []
        return {"default": self.point(wanted, "RESET elacsym.probes"), "curve": curve, "lists": self.lists()}


def find(plan, name):
    if name in plan:
        return plan[name]
    return sum(find(below, name) for below in plan.get("Plans", []))


def loss(worn, fresh):
    """The largest loss of recall of one curve against another at equal numbers of codes scored, where recall is .8 or more."""
    x = np.log([p["scored"] for p in fresh])
    y = [p["recall"] for p in fresh]
    return max(float(np.interp(np.log(p["scored"]), x, y) - p["recall"]) for p in worn
               if p["recall"] >= 0.8 and x[0] <= np.log(p["scored"]) <= x[-1])


def live(connection, data, metric, drift, options):
    base = np.ascontiguousarray(data.base, dtype="f4")
    queries = np.ascontiguousarray(data.queries[:options.queries], dtype="f4")
    old, new = halves(base, drift)
    life = Life(connection, base, queries, metric)
    life.load(old)
    rounds = []
    for part_old, part_new in zip(np.array_split(old, options.rounds), np.array_split(new, options.rounds)):
        insert_s, upkeep_s = life.replace(part_old, part_new)
        rounds.append({"insert_s": insert_s, "upkeep_s": upkeep_s, "lists": life.lists()[:1]})
        print(drift, len(rounds), {k: round(v, 1) for k, v in rounds[-1].items() if k != "lists"}, life.lists(), flush=True)
    wanted = truth(base, new, queries, metric)
    result = {"drift": drift, "rows": len(old), "rounds": rounds, "worn": life.measure(wanted, False)}
    connection.execute("SELECT elacsym_verify('life_idx')")
    begin = time.perf_counter()
    connection.execute("SELECT elacsym_compact('life_idx')")
    result["compact_s"] = time.perf_counter() - begin
    result["compact"] = life.measure(wanted)
    begin = time.perf_counter()
    connection.execute("REINDEX INDEX life_idx")
    result["reindex_s"] = time.perf_counter() - begin
    result["fresh"] = life.measure(wanted)
    result["loss"] = loss(result["compact"]["curve"], result["fresh"]["curve"])
    print(json.dumps({k: v for k, v in result.items() if k != "rounds"}), flush=True)
    return result


def report(result):
    lines = [f"# All rows replaced: {result['set']}, {result['metric']}", "",
             f"{result['machine']}; commit {result['commit']}; {result['rounds']} rounds.", "",
             "| new rows | recall@10 as the worker leaves it | compacted | fresh | codes scored | compacted | fresh | "
             "loss at equal codes scored | mean, p99, longest list compacted | fresh |", "|" + "---|" * 10]
    for part in result["parts"]:
        which = [part[name] for name in ("worn", "compact", "fresh")]
        lists = ["{mean:.0f}, {p99:.0f}, {longest:.0f}".format(**one["lists"][0]) for one in which[1:]]
        lines.append(f"| {part['drift']} | " + " | ".join([f"{one['default']['recall']:.4f}" for one in which] +
                     [f"{one['default']['scored']:.0f}" for one in which] + [f"{part['loss']:.4f}"] + lists) + " |")
    return "\n".join(lines) + "\n"


def main():
    options = arguments()
    data = datasets.DataSet(options.set, datasets.unpack(options.data, options.set, options.work))
    metric = options.metric or next(iter(data.truth))
    with Connection(options.conninfo) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS elacsym")
        parts = [live(connection, data, metric, drift, options) for drift in options.drift.split(",")]
    result = {"set": options.set, "metric": metric, "rounds": options.rounds, "machine": measure.machine(),
              "commit": options.commit, "parts": parts}
    stem = os.path.join(options.out, f"{datetime.date.today()}-life-{options.set}")
    with open(stem + ".json", "w") as file:
        json.dump(result, file, indent=1)
    with open(stem + ".md", "w") as file:
        file.write(report(result))


if __name__ == "__main__":
    main()
