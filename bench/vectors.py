"""Vector search: builds each index in turn and sweeps the setting that trades speed for recall."""
from datasets import METRICS
from libpq import Connection, copy_binary, vector_binary
from measure import build, load_average, plan_of, run_rounds
from quality import recall

DEFAULT_PROBES = 0  # of elacsym: chosen from the size of the index
ENOUGH = 0.9985     # a sweep ends at this recall


class System:
    """One kind of vector index."""

    def __init__(self, name, method, options, setting, default, values):
        self.name, self.method, self.options = name, method, options
        self.setting, self.default, self.values = setting, default, values

    def ddl(self, index, table, column, opclass, rows):
        lists = max(rows // 1000, 10)
        return (f"CREATE INDEX {index} ON {table} USING {self.method} ({column} {opclass})"
                + self.options.format(lists=lists))


EF_SEARCH = [10, 20, 40, 80, 160, 320, 640, 1000]
SYSTEMS = [
    System("elacsym", "elacsym", "", "elacsym.probes", DEFAULT_PROBES, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]),
    System("hnsw-64", "hnsw", " WITH (m = 16, ef_construction = 64)", "hnsw.ef_search", 40, EF_SEARCH),
    System("hnsw-200", "hnsw", " WITH (m = 16, ef_construction = 200)", "hnsw.ef_search", 40, EF_SEARCH),
    System("ivfflat", "ivfflat", " WITH (lists = {lists})", "ivfflat.probes", 1, [1, 2, 4, 8, 16, 32, 64]),
]


def load(bench, data):
    """Table items (id, v); returns its size."""
    with Connection(bench.conninfo) as connection:
        connection.execute("DROP TABLE IF EXISTS items")
        connection.execute(f"CREATE TABLE items (id int NOT NULL, v vector({data.dimension}))")
        connection.copy("COPY items FROM STDIN (FORMAT binary)",
                        copy_binary((i, vector_binary(v)) for i, v in enumerate(data.base)))
        connection.execute("VACUUM (ANALYZE, FREEZE) items")
        return {"rows": len(data.base), "dimensions": data.dimension, "queries": len(data.queries),
                "table_mb": round(int(connection.value("SELECT pg_table_size('items')")) / 1e6, 1)}


def point(bench, connection, data, metric, sql, setting):
    """One point of a curve: figures with recall and the plan's scan."""
    calls = list(map(connection.prepare(sql), map(vector_binary, data.queries)))
    figures, answers = run_rounds(connection, calls, bench.rounds, bench.budget_s)
    text = "[" + ",".join("%.9g" % x for x in data.queries[0]) + "]"
    return {**setting, "recall_at_10": round(recall(data, metric, answers), 4), **figures,
            "plan": plan_of(connection, sql, "vector", f"'{text}'")}


def sweep(bench, data, metric, table, system):
    """Points from fast to exact, the default setting among them."""
    sql = f"SELECT id FROM {table} ORDER BY v {METRICS[metric][1]} $1 LIMIT 10"
    points = []
    for value in [system.default] + [v for v in system.values if v != system.default]:
        if value != system.default and max((p["recall_at_10"] for p in points if 0 < p["value"] < value), default=0) >= ENOUGH:
            break
        with Connection(bench.conninfo) as connection:
            connection.execute(f"SET {system.setting} = {value}")
            points.append(point(bench, connection, data, metric, sql,
                                {"value": value, "default": value == system.default}))
        bench.say(f"    {system.setting} = {value}: recall {points[-1]['recall_at_10']:.4f}, {points[-1]['qps']:.0f} queries/s")
    return sorted(points, key=lambda p: (p["recall_at_10"], -p["qps"]))


def at_recall(points, wanted):
    """Queries per second at a recall, between the two points around it; None if not reached."""
    best = None
    for low, high in zip(points, points[1:]):
        if low["recall_at_10"] < wanted <= high["recall_at_10"]:
            share = (wanted - low["recall_at_10"]) / (high["recall_at_10"] - low["recall_at_10"])
            best = max(best or 0, low["qps"]**(1 - share) * high["qps"]**share)
    if points and points[0]["recall_at_10"] >= wanted:
        best = max(best or 0, points[0]["qps"])
    return best and round(best)


def run(bench, data, table="items"):
    """All systems, all metrics; the table has columns id and v."""
    results = []
    for metric in data.truth:
        if bench.metrics and metric not in bench.metrics:
            continue
        curves = {}
        for system in SYSTEMS:
            if not bench.has(system.name):
                continue
            bench.say(f"  {metric} {system.name}")
            ddl = system.ddl("bench_vector", table, "v", METRICS[metric][0], len(data.base))
            built = build(bench.conninfo, [ddl], "bench_vector")
            bench.say(f"    built in {built['build_s']} s, {built['size_mb']} MB")
            points = sweep(bench, data, metric, table, system)
            curves[system.name] = {"build": built, "setting": system.setting, "points": points,
                                   "qps_at_recall": {r: at_recall(points, float(r)) for r in (".90", ".95", ".99")},
                                   "load_average": load_average()}
            with Connection(bench.conninfo) as connection:
                connection.execute("DROP INDEX bench_vector")
        results.append({"metric": metric, "exact": exact(bench, data, metric, table), "systems": curves})
    return results


def exact(bench, data, metric, table):
    """The same query without an index: every row's distance, then a sort."""
    sql = f"SELECT id FROM {table} ORDER BY v {METRICS[metric][1]} $1 LIMIT 10"
    with Connection(bench.conninfo) as connection:
        return point(bench, connection, data, metric, sql, {})
