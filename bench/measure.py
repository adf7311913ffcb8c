"""What a statement costs: time, processor time, memory, WAL; and what else the machine did meanwhile."""
import gc
import os
import threading
import time

import numpy as np

from libpq import Connection

SAMPLE_S = 0.05
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


# ---- the machine ----

def machine():
    model = flags = ""
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
            elif line.startswith("flags"):
                flags = line.split(":", 1)[1].split()
    with open("/proc/meminfo") as info:
        memory_kb = int(info.readline().split()[1])
    simd = [f for f in ("avx2", "avx512f", "avx512bw", "avx512_vnni", "avx512_vpopcntdq", "avx512_fp16") if f in flags]
    return {"cpu": model, "simd": simd, "cores": os.cpu_count(), "memory_gb": round(memory_kb / 2**20, 1),
            "kernel": os.uname().release}


def load_average():
    return [round(x, 2) for x in os.getloadavg()]


def _machine_busy_s():
    """Processor seconds since boot that were not idle, stolen ones included."""
    with open("/proc/stat") as stat:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / CLOCK_TICKS


def process_s(pid):
    """Processor seconds of a process, to the nanosecond."""
    try:
        with open(f"/proc/{pid}/schedstat") as stat:
            return int(stat.read().split()[0]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


class Neighbours:
    """How many cores others kept busy: what the machine used, less what we did."""

    def __init__(self):
        self.busy = _machine_busy_s()
        self.python = time.process_time()
        self.wall = time.perf_counter()

    def cores(self, server_s):
        wall = time.perf_counter() - self.wall
        others = _machine_busy_s() - self.busy - (time.process_time() - self.python) - server_s
        return round(max(others / wall, 0.0), 2)


# ---- building an index ----

class BuildSampler(threading.Thread):
    """Peak memory and processor time of a backend and its parallel workers."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        with open(f"/proc/{pid}/stat") as stat:
            self.postmaster = stat.read().rsplit(")", 1)[1].split()[1]
        self.private_kb = 0
        self.shared_bytes = 0
        self.shared_before = self._dynamic_shared()
        self.processor_s = {pid: process_s(pid)}
        self.began_s = self.processor_s[pid]
        self.ended = threading.Event()

    def _workers(self):
        with open(f"/proc/{self.postmaster}/task/{self.postmaster}/children") as children:
            for child in children.read().split():
                try:
                    with open(f"/proc/{child}/cmdline") as command:
                        if f"parallel worker for PID {self.pid}" in command.read():
                            yield int(child)
                except (FileNotFoundError, ProcessLookupError):
                    pass

    def _private_kb(self, pid):
        try:
            with open(f"/proc/{pid}/status") as status:
                return next((int(line.split()[1]) for line in status if line.startswith("RssAnon")), 0)
        except (FileNotFoundError, ProcessLookupError):
            return 0

    def _dynamic_shared(self):
        """Segments that parallel workers share: not shared_buffers."""
        seen = {}
        with open(f"/proc/{self.pid}/maps") as maps:
            for line in maps:
                if "/dev/shm/PostgreSQL." in line:
                    path = line.split()[5]
                    try:
                        seen[path] = os.stat(path).st_blocks * 512
                    except OSError:
                        pass
        return sum(seen.values())

    def sample(self):
        pids = [self.pid, *self._workers()]
        self.private_kb = max(self.private_kb, sum(self._private_kb(p) for p in pids))
        for pid in pids:
            self.processor_s[pid] = max(self.processor_s.get(pid, 0.0), process_s(pid))
        self.shared_bytes = max(self.shared_bytes, self._dynamic_shared() - self.shared_before)

    def run(self):
        while not self.ended.wait(SAMPLE_S):
            self.sample()

    def stop(self):
        self.ended.set()
        self.join()
        self.sample()

    def used_s(self):
        return sum(self.processor_s.values()) - self.began_s


def build(conninfo, statements, relation):
    """Runs the statements in a new session; what they cost and how large `relation` got."""
    with Connection(conninfo) as connection:
        connection.execute("CHECKPOINT")
        neighbours = Neighbours()
        sampler = BuildSampler(connection.pid)
        sampler.start()
        lsn = connection.value("SELECT pg_current_wal_insert_lsn()")
        start = time.perf_counter()
        for statement in statements:
            connection.execute(statement)
        seconds = time.perf_counter() - start
        sampler.stop()
        wal = float(connection.value(f"SELECT pg_current_wal_insert_lsn() - '{lsn}'::pg_lsn"))
        size = int(connection.value(f"SELECT pg_total_relation_size('{relation}')"))
        return {"sql": statements, "build_s": round(seconds, 2), "processor_s": round(sampler.used_s(), 2),
                "size_mb": round(size / 1e6, 1), "wal_mb": round(wal / 1e6, 1),
                "peak_private_mb": round(sampler.private_kb / 1e3, 1),
                "peak_worker_shared_mb": round(sampler.shared_bytes / 1e6, 1),
                "neighbours_cores": neighbours.cores(sampler.used_s())}


# ---- running queries ----

QUALITY_BUDGETS = 10  # the untimed round may take so many times a timed one's budget
THIN_MIN = 20


def _spread(total, count):
    """`count` of `total` positions, evenly spread."""
    return np.unique(np.linspace(0, total - 1, int(min(total, max(count, THIN_MIN)))).astype(int))


def _seconds_each(calls, connection):
    """Time of a call, from a few of them."""
    trial = _spread(len(calls), THIN_MIN)
    connection.rows(calls[trial[0]].run())
    start = time.perf_counter()
    for position in trial:
        connection.rows(calls[position].run())
    return (time.perf_counter() - start) / len(trial)


def run_rounds(connection, calls, rounds, budget_s):
    """(figures, {position: rows}): every call once to warm up, then `rounds` timed rounds.

    Latency is the time of PQexecPrepared alone, queries per second are the
    inverse of its mean.  Figures are medians over the rounds.  Where a round
    of all calls would take longer than the budget, some are left out.
    """
    each_s = _seconds_each(calls, connection)
    asked = _spread(len(calls), QUALITY_BUDGETS * budget_s / each_s)
    answers = {int(p): connection.rows(calls[p].run()) for p in asked}
    chosen = asked[_spread(len(asked), budget_s / each_s)]
    figures = []
    gc.collect()
    gc.disable()
    neighbours = Neighbours()
    whole_s = process_s(connection.pid)
    for _ in range(rounds):
        latency = np.empty(len(chosen))
        processor_s = process_s(connection.pid)
        for i, position in enumerate(chosen):
            start = time.perf_counter()
            result = calls[position].run()
            latency[i] = time.perf_counter() - start
            connection.rows(result)
        latency *= 1e3
        figures.append([1e3 / latency.mean(), *np.percentile(latency, [50, 95, 99]), latency.max(),
                        (process_s(connection.pid) - processor_s) * 1e3 / len(chosen)])
    others = neighbours.cores(process_s(connection.pid) - whole_s)
    gc.enable()
    qps, p50, p95, p99, worst, processor_ms = np.median(figures, axis=0)
    speeds = [f[0] for f in figures]
    return {"queries_judged": len(asked), "queries_timed": len(chosen), "rounds": rounds,
            "qps": round(qps, 1), "qps_min": round(min(speeds), 1), "qps_max": round(max(speeds), 1),
            "p50_ms": round(p50, 3), "p95_ms": round(p95, 3), "p99_ms": round(p99, 3), "max_ms": round(worst, 3),
            "processor_ms": round(processor_ms, 3), "neighbours_cores": others}, answers


def plan_of(connection, sql, types, values):
    """The node below Limit that the planner chose, as EXPLAIN names it."""
    connection.execute(f"PREPARE explained ({types}) AS {sql}")
    lines = [r[0].strip() for r in connection.execute(f"EXPLAIN (COSTS OFF) EXECUTE explained ({values})")]
    connection.execute("DEALLOCATE explained")
    nodes = [line.removeprefix("->").strip() for line in lines]
    return next((n for n in nodes if "Scan" in n), nodes[0])
