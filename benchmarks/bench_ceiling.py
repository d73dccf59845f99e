"""The raw ceiling: what SQLite itself takes of the rows of a life cycle (how it is made: benchmarks/ceiling.py).

For each number of life cycles in one transaction (1, 8, 64, 512) and of job hooks on the object (0, 1, 10):

    ceiling_s       life cycles a second by bare sqlite3.executemany, synchronous=FULL; median of `--rounds`

    python -m benchmarks.bench_ceiling [-n 20000] [--batches 1,8,64,512] [--hooks 0,1,10] [--rounds 3] [--json]
"""

from functools import partial
from pathlib import Path

from benchmarks import ceiling
from benchmarks.command import give, numbers, parser, positive, progress, throw_away_folder
from benchmarks.measuring import Figures, alternating, with_spread


def run(folder: Path, count: int, batch: int, hooks: int) -> Figures:
    """One database, made and thrown away. Small batches are limited by the disk: fewer of them tell as much."""
    path = folder / "ceiling.db"
    figure = ceiling.life_cycles_a_second(path, max(1, min(count, 2_000 + 200 * batch) // max(1, hooks)), batch, hooks)
    for each in folder.glob("ceiling.db*"):
        each.unlink()
    return {"batch": batch, "hooks": hooks, "ceiling_s": round(figure)}


def main() -> None:
    made = parser(__doc__, 20_000, "life cycles a run")
    made.add_argument("--batches", type=numbers, default=(1, 8, 64, 512))
    made.add_argument("--hooks", type=numbers, default=(0, 1, 10))
    made.add_argument("--rounds", type=positive, default=3)
    options = made.parse_args()
    rows = []
    with throw_away_folder() as folder, progress("ceiling", len(options.hooks) * len(options.batches)) as bar:
        for hooks in options.hooks:
            for batch in options.batches:
                one = partial(run, folder, options.n, batch, hooks)
                rows.append(with_spread(alternating(options.rounds, {"ceiling": one})["ceiling"], "ceiling_s"))
                bar.advance(bar.task_ids[0])
    give(rows, as_json=options.json)


if __name__ == "__main__":
    main()
