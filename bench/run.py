"""Runs the benchmark against a server that is there: scripts/bench starts one and calls this.

Writes DATE-SET.json, .md and .png for each set of the data folder.
"""
import argparse
import datetime
import json
import os

import datasets
import documents
import measure
import report
import vectors
from libpq import Connection

SETTINGS = ("shared_buffers", "maintenance_work_mem", "work_mem", "effective_cache_size", "random_page_cost",
            "max_wal_size", "checkpoint_timeout", "fsync", "synchronous_commit", "full_page_writes", "wal_compression",
            "autovacuum", "jit", "max_parallel_maintenance_workers", "max_parallel_workers_per_gather",
            "plan_cache_mode", "shared_preload_libraries", "data_checksums")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conninfo", required=True, help="of an empty database")
    parser.add_argument("--database", required=True, help="its name")
    parser.add_argument("--data", required=True, help="folder with the data")
    parser.add_argument("--work", required=True, help="folder for unpacked data")
    parser.add_argument("--out", required=True, help="folder for results")
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--command", default="scripts/bench")
    parser.add_argument("--note", default="")
    parser.add_argument("--sets", default="")
    parser.add_argument("--systems", default="")
    parser.add_argument("--metrics", default="")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--queries", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=5.0)
    parser.add_argument("--no-filters", action="store_true", help="leave out vector queries with a filter")
    parser.add_argument("--reuse", default="", help="one set: keep table and indexes in the database, take what is there "
                        "of an earlier run with its figures, kept in this folder; elacsym's index is always made anew")
    return parser.parse_args()


class Bench:
    """What the measuring modules share."""

    def __init__(self, options):
        self.conninfo, self.database = options.conninfo, options.database
        self.rounds, self.budget_s = options.rounds, options.budget
        self.systems = [s for s in options.systems.split(",") if s]
        self.metrics = [m for m in options.metrics.split(",") if m]
        self.reuse, self.filters = options.reuse, not options.no_filters
        with Connection(self.conninfo) as connection:
            self.pgvector = self._extensions(connection)
            if not connection.execute("SELECT FROM pg_ts_config WHERE cfgname = 'bench_english'"):
                connection.execute(documents.STOP_CONFIG)
            self.about = self._about(connection, options)

    @staticmethod
    def _extensions(connection):
        """pgvector first, if the server has it: elacsym then indexes its types."""
        versions = connection.execute("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")
        if versions:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute("CREATE EXTENSION IF NOT EXISTS elacsym")
        return versions[0][0] if versions else None

    def _about(self, connection, options):
        settings = {name: connection.value(f"SHOW {name}") for name in SETTINGS}
        version = connection.value("SELECT extversion FROM pg_extension WHERE extname = 'elacsym'")
        return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
                "commit": options.commit, "command": options.command, "note": options.note,
                "machine": measure.machine(), "postgresql": connection.value("SHOW server_version"),
                "elacsym": version, "pgvector": self.pgvector, "settings": settings}

    def has(self, system):
        """Is this system wanted, and there?"""
        return (not self.systems or system in self.systems) and (system == "elacsym" or self.pgvector is not None)

    @staticmethod
    def say(line):
        print(line, flush=True)


def measure_set(bench, options, name):
    data = datasets.DataSet(name, datasets.unpack(options.data, name, options.work), options.rows, options.queries)
    if data.base is None or data.queries is None:
        bench.say(f"{name}: no vectors and queries here, left out")
        return None
    bench.say(f"{name}: {len(data.base)} rows, {data.dimension} dimensions, {len(data.queries)} queries")
    result = {"set": name, "whole_set": data.whole, **bench.about, "load_average_before": measure.load_average()}
    if data.docs is None:
        result["table"] = vectors.load(bench, data)
        result["vectors"] = vectors.run(bench, data)
    else:
        result["table"] = documents.load(bench, data)
        result["vectors"] = [] if data.grades else vectors.run(bench, data, "docs")
        result["documents"] = documents.run(bench, data)
    result["load_average_after"] = measure.load_average()
    return result


def write(options, result):
    stem = os.path.join(options.out, f"{result['date'][:10]}-{result['set']}")
    with open(stem + ".json", "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)
        out.write("\n")
    with open(stem + ".md", "w", encoding="utf-8") as out:
        out.write(report.table(result))
    report.picture(result, stem + ".png")


def main():
    options = arguments()
    bench = Bench(options)
    wanted = [s for s in options.sets.split(",") if s]
    there = datasets.names(options.data)
    missing = sorted(set(wanted) - set(there))
    if missing:
        raise SystemExit(f"not in the data folder: {', '.join(missing)}")
    # PostgreSQL brings no configuration that finds the words of Chinese
    for name in wanted or [n for n in there if not n.endswith("-zh")]:
        result = measure_set(bench, options, name)
        if result is not None:
            write(options, result)


if __name__ == "__main__":
    main()
