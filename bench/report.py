"""A result as a readable table and as a picture."""
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter  # noqa: E402

COLOURS = {"elacsym": "#c0392b", "hnsw-64": "#2471a3", "hnsw-200": "#1a5276", "ivfflat": "#7d8b8f"}
MARKERS = {"elacsym": "o", "hnsw-64": "s", "hnsw-200": "D", "ivfflat": "^"}
TITLES = {"elacsym": "elacsym", "hnsw-64": "pgvector HNSW, ef_construction 64", "hnsw-200": "pgvector HNSW, ef_construction 200",
          "ivfflat": "pgvector IVFFlat"}
METRICS = {"l2": "Euclidean distance", "cos": "cosine distance", "ip": "inner product"}
MARKS = [("overlap_at_10", "overlap@10 with reference"), ("ndcg_at_10", "NDCG@10"), ("answered_at_10", "answer in top 10")]


def _rows(head, rows):
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join("" if c is None else str(c) for c in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _speed(figures):
    """The cells that every measured statement has."""
    return [f"{figures['qps']:.0f} ({figures['qps_min']:.0f}-{figures['qps_max']:.0f})",
            f"{figures['p50_ms']:.2f}", f"{figures['p95_ms']:.2f}", f"{figures['p99_ms']:.2f}",
            f"{figures['processor_ms']:.2f}", f"{figures['queries_judged']} / {figures['queries_timed']}"]


SPEED_HEAD = ["queries/s (min-max)", "p50 ms", "p95 ms", "p99 ms", "processor ms", "queries judged / timed"]
BUILD_HEAD = ["build s", "processor s", "MB", "WAL MB", "peak private MB", "workers' shared MB"]


def _built(built):
    return [built["build_s"], built["processor_s"], built["size_mb"], built["wal_mb"], built["peak_private_mb"],
            built["peak_worker_shared_mb"]]


def _neighbours(result):
    """Cores that others used, of every measurement in the result."""
    if isinstance(result, dict):
        found = [result["neighbours_cores"]] if "neighbours_cores" in result else []
        return found + [x for value in result.values() for x in _neighbours(value)]
    if isinstance(result, list):
        return [x for value in result for x in _neighbours(value)]
    return []


def _head(result):
    machine, table = result["machine"], result["table"]
    others = _neighbours(result)
    text = [f"# {result['set']}, {result['date']}\n",
            f"{table['rows']:,} rows, {table['dimensions']} dimensions, {table['queries']} queries, table of {table['table_mb']} MB."
            + ("" if result["whole_set"] else " **Not the whole set.**"),
            f"PostgreSQL {result['postgresql']}, elacsym {result['elacsym']} (commit {result['commit']}), "
            + (f"pgvector {result['pgvector']}." if result["pgvector"] else "pgvector is not installed."),
            f"{machine['cpu']} ({', '.join(machine['simd'])}), {machine['cores']} cores, {machine['memory_gb']} GB, "
            f"kernel {machine['kernel']}.",
            f"Load average before {result['load_average_before']}, after {result['load_average_after']}; other processes"
            f" kept {sum(others) / len(others):.2f} cores busy on the average of all measurements, {max(others):.2f} at most."]
    if result["note"]:
        text.append(result["note"])
    settings = ", ".join(f"{k} {v}" for k, v in result["settings"].items() if v)
    text += [f"Settings: {settings}.", f"Command: `{result['command']}`\n"]
    return "\n".join(text) + "\n"


def _unexpected(point):
    """The cell that names the plan of a point where it is not the index's."""
    return ["" if "bench_" in point["plan"] or "ElacsymScan" in point["plan"] else point["plan"]]


def _vectors(part):
    text = [f"\n## Vectors, {METRICS[part['metric']]}\n"]
    systems = part["systems"]
    text.append(_rows(["index"] + BUILD_HEAD, [[TITLES[n]] + _built(s["build"]) for n, s in systems.items()]))
    text.append("Queries per second at a recall@10 of (between two measured points):\n")
    recalls = [".90", ".95", ".99"]
    text.append(_rows(["index"] + recalls,
                      [[TITLES[n]] + [s["qps_at_recall"][r] or "not reached" for r in recalls] for n, s in systems.items()]))
    rows = [[TITLES[n], f"{p['setting']} {p['value']}" + (" (default)" if p["default"] else ""), f"{p['recall_at_10']:.4f}"]
            + _speed(p) + _unexpected(p)
            for n, s in systems.items() for p in s["points"]]
    exact = part["exact"]
    rows.append(["no index", "", f"{exact['recall_at_10']:.4f}"] + _speed(exact) + [""])
    text.append(_rows(["index", "setting", "recall@10"] + SPEED_HEAD + ["plan, if not the index"], rows))
    filtered = [[f"{f['part']:.0%}", TITLES[n], f"{p['setting']} {p['value']}" + (" (default)" if p["default"] else ""),
                 f"{p['recall_at_10']:.4f}", p.get("short_answers", 0)] + _speed(p) + _unexpected(p)
                for n, s in systems.items() for f in s["filters"] for p in f["points"]]
    if filtered:
        text.append("With a filter, a random part of the table (HNSW with iterative scans in strict order):\n")
        text.append(_rows(["passing", "index", "setting", "recall@10", "short answers"] + SPEED_HEAD + ["plan, if not the index"],
                          sorted(filtered, key=lambda r: -float(r[0].rstrip("%")))))
    return "\n".join(text)


def _statements(named, leave_out=()):
    """Statements over the questions, with the marks that any of them has."""
    marks = [(key, title) for key, title in MARKS if key not in leave_out and any(key in f for f in named.values())]
    return _rows(["statement"] + [t for _, t in marks] + SPEED_HEAD,
                 [[name] + [f"{f[key]:.4f}" if key in f else None for key, _ in marks] + _speed(f) for name, f in named.items()])


def _documents(part):
    text, hybrid = part["text"], part["hybrid"]
    builds = {f"{n}" + (", index on text" if n.startswith("elacsym") else ""): t["build"] for n, t in text.items() if "build" in t}
    builds["elacsym, index on vectors and text"] = hybrid["fused"]["elacsym_search()"]["build"]
    builds["GIN and stored tsvectors"] = builds.pop("GIN, any word")
    out = ["\n## Text\n", _rows(["index"] + BUILD_HEAD, [[n] + _built(b) for n, b in builds.items()])]
    stored = builds["GIN and stored tsvectors"]["stored_tsvectors_mb"]
    out.append(f"Making the tsvectors counts as building GIN; they take another {stored} MB.\n")
    out += ["Questions, ten best:\n", _statements({n: t["questions"] for n, t in text.items()})]
    short = {n: t["short"] for n, t in text.items() if "short" in t}
    if short:
        out += ["Short queries (two or three words), ten best:\n", _statements(short)]
    out += [f"\n## Hybrid, {METRICS[part['metric']]} and text\n", _statements({**hybrid["legs"], **hybrid["fused"]}, leave_out=("overlap_at_10",))]
    return "\n".join(out)


def table(result):
    text = _head(result) + "".join(_vectors(part) for part in result["vectors"])
    if "documents" in result:
        text += _documents(result["documents"])
    return text


def _tick(value, position):
    """Labels 1, 2 and 5 times a power of ten."""
    return f"{value:,.10g}" if f"{value:e}"[0] in "125" else ""


def _curve(axes, part):
    for name, system in part["systems"].items():
        points = system["points"]
        for i, setting in enumerate(sorted({p["setting"] for p in points}, reverse=True)):
            mine = [p for p in points if p["setting"] == setting]
            axes.plot([p["recall_at_10"] for p in mine], [p["qps"] for p in mine], marker=MARKERS[name], markersize=4,
                      color=COLOURS[name], linestyle=("-", "--")[i], label=TITLES[name] + ("" if name != "elacsym" else
                                                                                        ", " + setting.split(".")[1]))
        default = next(p for p in points if p["default"])
        axes.plot(default["recall_at_10"], default["qps"], marker=MARKERS[name], markersize=10, color=COLOURS[name],
                  markerfacecolor="none", linestyle="none")
    axes.set_xlim(right=1.005)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    axes.yaxis.set_minor_formatter(FuncFormatter(_tick))
    axes.set_xlabel("recall@10 (ringed: default setting)")
    axes.set_ylabel("queries per second, one connection")
    axes.set_title(f"Vectors: {METRICS[part['metric']]}", fontsize=11)
    axes.grid(True, which="both", linewidth=0.3)
    axes.legend(fontsize=8, loc="lower left")


def _bars(axes, part):
    """Latency of text and hybrid statements over the questions."""
    named = {f"text: {n}": t["questions"] for n, t in part["text"].items()}
    named.update({f"hybrid: {n}": f for n, f in part["hybrid"]["fused"].items()})
    places = list(range(len(named)))[::-1]
    for offset, height, key, colour in ((0.2, 0.35, "p50_ms", "#c0392b"), (-0.2, 0.35, "p95_ms", "#e6b0aa")):
        bars = axes.barh([p + offset for p in places], [f[key] for f in named.values()], height, color=colour,
                         label=key.removesuffix("_ms"))
        axes.bar_label(bars, fmt="%.1f", fontsize=7, padding=2)
    axes.set_yticks(places, list(named), fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.margins(x=0.15)
    axes.set_xlabel("milliseconds, whole questions, ten best")
    axes.set_title("Text and hybrid", fontsize=11)
    axes.grid(True, axis="x", linewidth=0.3)
    axes.legend(fontsize=8)


def picture(result, path):
    panels = len(result["vectors"]) + ("documents" in result)
    figure, axes = plt.subplots(1, panels, figsize=(6.5 * panels, 4.8), squeeze=False)
    for axis, part in zip(axes[0], result["vectors"]):
        _curve(axis, part)
    if "documents" in result:
        _bars(axes[0][-1], result["documents"])
    figure.suptitle(f"{result['set']}: {result['table']['rows']:,} rows, {result['table']['dimensions']} dimensions", fontsize=12)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
