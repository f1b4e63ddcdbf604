"""The comparison of the results that the repository keeps."""

import csv
from pathlib import Path

import numpy as np
import pytest

from benchmarks.metalearners import compare


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two seeds of MAML-TRPO on a task, three of ProMP, one of E-MAML; ProMP alone on another task."""
    monkeypatch.setattr(compare, "RESULTS", tmp_path)
    for name, seeds in {
        "maml-trpo-walk": (1, 2),
        "promp-walk": (1, 2, 10),
        "e-maml-walk": (1,),
        "promp-run": (1,),
    }.items():
        for seed in seeds:
            write_test(tmp_path / name / f"seed-{seed}" / "test.csv", 100 * len(name) + seed)
    write_test(tmp_path / "promp-walk" / "seed-1-cpu" / "test.csv", 9999)
    return tmp_path


def write_test(path: Path, first: int, policy: str = "trained", steps: int = 5) -> None:
    path.parent.mkdir(parents=True)
    rows = [f"{name},{step},{sign * (first + step)}" for name, sign in (("untrained", -1), (policy, 1))
            for step in range(steps)]  # fmt: skip
    path.write_text("\n".join(["policy,gradient_steps,mean_return", *rows, ""]))


def test_runs_of_all_seeds_are_found(kept: Path):
    (comparison,) = compare.kept_comparisons()
    assert comparison.task == "walk"
    found = {method: returns[:, :, 0].tolist() for method, returns in comparison.returns.items()}
    assert found == {
        "maml-trpo": [[1401 + step for step in range(4)], [1402 + step for step in range(4)]],
        "e-maml": [[1101 + step for step in range(4)]],
        "promp": [[1000 + seed + step for step in range(4)] for seed in (1, 2, 10)],
    }


def test_variants_of_a_method_and_the_papers_tasks(kept: Path):
    write_test(kept / "maml-trpo-wide-walk" / "seed-1" / "test.csv", 7, "policy")
    for name in ("maml-trpo", "maml-trpo-wide"):
        file = kept / f"{name}-walk" / "seed-1" / "test-paper-tasks.csv"
        file.write_text((kept / "maml-trpo-walk" / "seed-1" / "test.csv").read_text())
    plain, of_paper = compare.kept_comparisons()
    assert list(plain.returns) == ["maml-trpo", "e-maml", "maml-trpo-wide", "promp"]
    assert (of_paper.task, list(of_paper.returns)) == (
        "walk, the paper's tasks",
        ["maml-trpo", "maml-trpo-wide"],
    )


def test_the_table_and_the_picture(kept: Path, capsys: pytest.CaptureFixture[str]):
    compare.main()
    assert "walk: maml-trpo 2, e-maml 1, promp 3 seeds" in capsys.readouterr().out
    with (kept / "comparison.csv").open(newline="") as file:
        rows = {(row["method"], row["gradient_steps"]): row for row in csv.DictReader(file)}
    promp = rows["promp", "1"]
    assert (promp["runs"], promp["improvement"], promp["reference"]) == ("3", "0", "maml-trpo")
    assert float(promp["interquartile_mean"]) == pytest.approx(np.mean([1002, 1003, 1011]), rel=1e-5)
    assert (float(promp["iqm_low"]), float(promp["iqm_high"])) == (1002, 1011)
    assert rows["e-maml", "1"]["mean_low"] == ""
    assert (kept / "comparison.png").stat().st_size > 10_000


def test_files_that_tell_of_no_trained_policy(kept: Path):
    (kept / "promp-walk" / "seed-2" / "test.csv").unlink()
    (kept / "promp-walk" / "seed-2").rmdir()
    write_test(kept / "promp-walk" / "seed-2" / "test.csv", 5, steps=2)
    with pytest.raises(SystemExit, match=r"promp-walk/seed-2/test\.csv: expected rows of a trained policy"):
        list(compare.kept_comparisons())


def test_the_committed_results_can_be_compared():
    tasks = {comparison.task: comparison for comparison in compare.kept_comparisons()}
    assert len(tasks["navigation, the paper's tasks"].returns) >= 9
