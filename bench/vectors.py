"""Vector search: builds each index in turn and sweeps the settings that trade speed for recall, without and with a filter."""
import json
import os

import numpy as np

from datasets import METRICS, scores
from libpq import Connection, copy_binary, vector_binary
from measure import build, load_average, plan_of, run_rounds
from quality import K, recall

ENOUGH = 0.9985     # a sweep ends at this recall
SHARES = 10000      # column share is a random number below this
FILTERS = (0.1, 0.01)   # parts of the table that pass a filter


class Sweep:
    """A setting and its values from fast to exact; `default` among them, or None; `before` is set first."""

    def __init__(self, setting, values, default=None, before=()):
        self.setting, self.values, self.default, self.before = setting, values, default, before


class System:
    """One kind of vector index."""

    def __init__(self, name, method, options, sweeps, filtered, filter_columns=""):
        self.name, self.method, self.options = name, method, options
        self.sweeps, self.filtered, self.filter_columns = sweeps, filtered, filter_columns

    def index(self, metric):
        return "bench_" + self.name.replace("-", "_") + "_" + metric

    def ddl(self, table, column, metric, rows):
        lists = max(rows // 1000, 10)
        return (f"CREATE INDEX {self.index(metric)} ON {table} USING {self.method} ({column} {METRICS[metric][0]})"
                + self.options.format(lists=lists))

    def filter_ddl(self, table, column, metric):
        """An index that also holds the column of the filter; None where the method has no such thing."""
        if not self.filter_columns:
            return None
        return (f"CREATE INDEX {self.index(metric)}_filter ON {table} USING {self.method} "
                f"({column} {METRICS[metric][0]}, {self.filter_columns})")


TARGETS = [.8, .9, .95, .98, .99, .995, .999]
PROBES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
EF_SEARCH = [10, 20, 40, 80, 160, 320, 640, 1000]
ITERATIVE = ("hnsw.iterative_scan = strict_order", "hnsw.max_scan_tuples = 1000000")
ELACSYM = [Sweep("elacsym.target_recall", TARGETS, .95), Sweep("elacsym.probes", PROBES)]
HNSW = [Sweep("hnsw.ef_search", EF_SEARCH, 40)]
HNSW_FILTERED = [Sweep("hnsw.ef_search", [40, 100, 400], 40, ITERATIVE)]
SYSTEMS = [
    System("elacsym", "elacsym", "", ELACSYM, [Sweep("elacsym.target_recall", [.9, .95, .99], .95)],
           "share"),
    System("hnsw-64", "hnsw", " WITH (m = 16, ef_construction = 64)", HNSW, HNSW_FILTERED),
    System("hnsw-200", "hnsw", " WITH (m = 16, ef_construction = 200)", HNSW, HNSW_FILTERED),
    System("ivfflat", "ivfflat", " WITH (lists = {lists})", [Sweep("ivfflat.probes", [1, 2, 4, 8, 16, 32, 64], 1)], []),
]


def load(bench, data):
    """Table items (id, share, v); returns its size.  share is random: conditions on it filter."""
    share = np.random.default_rng(1).integers(0, SHARES, len(data.base))
    with Connection(bench.conninfo) as connection:
        if bench.reuse and connection.value("SELECT to_regclass('items')"):
            count = int(connection.value("SELECT count(*) FROM items"))
            if count != len(data.base):
                raise SystemExit(f"table items has {count} rows, the set {len(data.base)}")
        else:
            connection.execute("DROP TABLE IF EXISTS items")
            connection.execute(f"CREATE TABLE items (id int NOT NULL, share int NOT NULL, v vector({data.dimension}))")
            connection.copy("COPY items FROM STDIN (FORMAT binary)",
                            copy_binary((i, share[i], vector_binary(v)) for i, v in enumerate(data.base)))
            connection.execute("VACUUM (ANALYZE, FREEZE) items")
        return {"rows": len(data.base), "dimensions": data.dimension, "queries": len(data.queries),
                "table_mb": round(int(connection.value("SELECT pg_table_size('items')")) / 1e6, 1)}


class Only:
    """Hides other vector indexes of the table from the planner, and shows them again."""

    def __init__(self, bench, table, index):
        self.bench, self.table, self.index = bench, table, index
        self.hidden = []

    def __enter__(self):
        with Connection(self.bench.conninfo) as connection:
            self.hidden = [r[0] for r in connection.execute(
                "UPDATE pg_index SET indisvalid = false FROM pg_class c WHERE c.oid = indexrelid AND indisvalid"
                f" AND indrelid = '{self.table}'::regclass AND relname LIKE 'bench\\_%' AND relname <> '{self.index}'"
                " RETURNING indexrelid")]

    def __exit__(self, *reason):
        with Connection(self.bench.conninfo) as connection:
            for index in self.hidden:
                connection.execute(f"UPDATE pg_index SET indisvalid = true WHERE indexrelid = {index}")


def point(bench, connection, data, metric, sql, setting, truth=None):
    """One point of a curve: figures with recall and the plan's scan."""
    calls = list(map(connection.prepare(sql), map(vector_binary, data.queries)))
    figures, answers = run_rounds(connection, calls, bench.rounds, bench.budget_s)
    text = "[" + ",".join("%.9g" % x for x in data.queries[0]) + "]"
    short = sum(len(rows) < K for rows in answers.values())
    found = recall(data, metric, answers, truth)
    return {**setting, "recall_at_10": round(found, 4), **({"short_answers": short} if short else {}), **figures,
            "plan": plan_of(connection, sql, "vector", f"'{text}'")}


def sweep(bench, data, metric, table, sweeps, condition="", truth=None):
    """Points of all the settings, from fast to exact, a default setting first in its sweep."""
    sql = f"SELECT id FROM {table} {condition} ORDER BY v {METRICS[metric][1]} $1 LIMIT 10"
    points = []
    for each in sweeps:
        reached = 0
        values = each.values if each.default is None else [each.default] + [v for v in each.values if v != each.default]
        for value in values:
            if value != each.default and reached >= ENOUGH:
                break
            with Connection(bench.conninfo) as connection:
                for before in each.before:
                    connection.execute("SET " + before)
                connection.execute(f"SET {each.setting} = {value}")
                points.append(point(bench, connection, data, metric, sql,
                                    {"setting": each.setting, "value": value, "default": value == each.default}, truth))
            if value != each.default:
                reached = points[-1]["recall_at_10"]
            bench.say(f"    {condition} {each.setting} = {value}: recall {points[-1]['recall_at_10']:.4f}, "
                      f"{points[-1]['qps']:.0f} queries/s")
    return sorted(points, key=lambda p: (p["recall_at_10"], -p["qps"]))


def at_recall(points, wanted):
    """Queries per second at a recall, between the two points of one setting around it; None if not reached."""
    best = None
    for setting in {p["setting"] for p in points}:
        mine = [p for p in points if p["setting"] == setting]
        for low, high in zip(mine, mine[1:]):
            if low["recall_at_10"] < wanted <= high["recall_at_10"]:
                share = (wanted - low["recall_at_10"]) / (high["recall_at_10"] - low["recall_at_10"])
                best = max(best or 0, low["qps"]**(1 - share) * high["qps"]**share)
        if mine[0]["recall_at_10"] >= wanted:
            best = max(best or 0, mine[0]["qps"])
    return best and round(best)


def filter_truth(bench, data, metric, table, condition):
    """The ten nearest rows of each query among those that pass."""
    with Connection(bench.conninfo) as connection:
        passing = np.array([int(r[0]) for r in connection.execute(f"SELECT id FROM {table} {condition}")])
    nearest = np.argsort(scores(data.base[passing], data.queries, metric), axis=1, kind="stable")[:, :K]
    return passing[nearest]


def filters(bench, data, metric, table, system):
    if not system.filtered or not bench.filters:
        return []
    results = []
    ddl, index = system.filter_ddl(table, "v", metric), system.index(metric)
    if ddl is not None:
        index += "_filter"
        with Connection(bench.conninfo) as connection:
            connection.execute(f"DROP INDEX IF EXISTS {index}")
        bench.say(f"    {build(bench.conninfo, [ddl], index)['build_s']} s for the index with column share")
    with Only(bench, table, index):
        for part in FILTERS:
            condition = f"WHERE share < {round(part * SHARES)}"
            truth = filter_truth(bench, data, metric, table, condition)
            results.append({"part": part, "points": sweep(bench, data, metric, table, system.filtered, condition, truth)})
    if ddl is not None:
        with Connection(bench.conninfo) as connection:
            connection.execute(f"DROP INDEX {index}")
    return results


def make_index(bench, data, metric, table, system):
    """Builds the index; one that is there already is taken with the figures of its own build."""
    index = system.index(metric)
    file = os.path.join(bench.reuse or "", index + ".json")
    if bench.reuse and os.path.exists(file):
        with open(file, encoding="utf-8") as figures:
            return json.load(figures)
    with Connection(bench.conninfo) as connection:
        connection.execute(f"DROP INDEX IF EXISTS {index}")
    built = build(bench.conninfo, [system.ddl(table, "v", metric, len(data.base))], index)
    if bench.reuse and system.method != "elacsym":
        with open(file, "w", encoding="utf-8") as figures:
            json.dump({**built, "built": "in an earlier run"}, figures)
    return built


def run(bench, data, table="items"):
    """All systems, all metrics; the table has columns id and v, and share where filters are measured."""
    results = []
    for metric in data.truth:
        if bench.metrics and metric not in bench.metrics:
            continue
        curves = {}
        for system in SYSTEMS:
            if not bench.has(system.name):
                continue
            bench.say(f"  {metric} {system.name}")
            built = make_index(bench, data, metric, table, system)
            bench.say(f"    built in {built['build_s']} s, {built['size_mb']} MB")
            with Only(bench, table, system.index(metric)):
                points = sweep(bench, data, metric, table, system.sweeps)
            filtered = filters(bench, data, metric, table, system) if table == "items" else []
            curves[system.name] = {"build": built, "points": points, "filters": filtered,
                                   "qps_at_recall": {r: at_recall(points, float(r)) for r in (".90", ".95", ".99")},
                                   "load_average": load_average()}
            if not bench.reuse:
                with Connection(bench.conninfo) as connection:
                    connection.execute(f"DROP INDEX {system.index(metric)}")
        with Only(bench, table, ""):
            results.append({"metric": metric, "exact": exact(bench, data, metric, table), "systems": curves})
    return results


def exact(bench, data, metric, table):
    """The same query without an index: every row's distance, then a sort."""
    sql = f"SELECT id FROM {table} ORDER BY v {METRICS[metric][1]} $1 LIMIT 10"
    with Connection(bench.conninfo) as connection:
        return point(bench, connection, data, metric, sql, {})
