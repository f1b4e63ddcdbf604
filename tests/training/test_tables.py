"""CSV tables, written and read."""

from pathlib import Path

import pytest

from maml_rl._system.files import write_atomically
from maml_rl.errors import UsageError
from maml_rl.training.tables import CSVLogger, read_columns

NEEDED = ("iteration", "return_0", "stderr_0")


def test_metrics_are_read_as_columns_of_numbers(tmp_path: Path):
    path = tmp_path / "metrics.csv"
    path.write_text("iteration,return_0,stderr_0\n1,-3.5,1e-3\n2,-2,0.002\n")
    columns = read_columns(path, NEEDED)
    assert {name: column.tolist() for name, column in columns.items()} == {
        "iteration": [1, 2],
        "return_0": [-3.5, -2],
        "stderr_0": [0.001, 0.002],
    }


@pytest.mark.parametrize(
    "text", ["iteration,kl\n1\n", "iteration,kl\n1,high\n", "a,b\n1,2\n", "kl\n" + "1" * 200_000 + "\n"]
)
def test_what_is_no_table_of_metrics(tmp_path: Path, text: str):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match="is not a table of metrics"):
        read_columns(path, NEEDED)


@pytest.mark.parametrize("text", ["", "iteration,kl\n"])
def test_a_run_without_a_meta_update_yet(tmp_path: Path, text: str):
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match="has no row: the run has not made a meta-update yet"):
        read_columns(path, NEEDED)


@pytest.mark.parametrize("torn", ["3", "3,-1.5", "3,-1.5,0.0", "3,-1.5,0.00,"])
def test_a_row_that_is_being_written_is_left_out(tmp_path: Path, torn: str, caplog: pytest.LogCaptureFixture):
    path = tmp_path / "metrics.csv"
    path.write_text("iteration,return_0,stderr_0\n1,-3.5,1e-3\n2,-2,0.002\n" + torn)
    assert read_columns(path, NEEDED)["iteration"].tolist() == [1, 2]
    assert "its last row has no end" in caplog.text


def test_metrics_that_are_not_there(tmp_path: Path):
    with pytest.raises(UsageError, match=r"cannot read '.*metrics\.csv': No such file"):
        read_columns(tmp_path / "metrics.csv", NEEDED)


def test_a_run_that_an_older_version_began_keeps_its_columns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "metrics.csv"
    path.write_text("iteration,kl\n1,0.5\n")
    table = CSVLogger(path, rows=1)
    for iteration in (2, 3):
        table.write({"iteration": iteration, "entropy": 1.0, "kl": 0.25})
    table.close()
    assert path.read_text() == "iteration,kl\n1,0.5\n2,0.25\n3,0.25\n"
    assert [record.message.endswith("left out: entropy") for record in caplog.records] == [True]


def test_a_column_that_is_not_given(tmp_path: Path):
    path = tmp_path / "metrics.csv"
    path.write_text("iteration,kl\n1,0.5\n")
    table = CSVLogger(path, rows=1)
    with pytest.raises(UsageError, match=r"does not write \(kl\)"):
        table.write({"iteration": 2, "entropy": 1.0})
    table.close()
    assert path.read_text() == "iteration,kl\n1,0.5\n"


def test_files_have_the_permissions_that_the_umask_leaves(tmp_path: Path):
    """And not those of the temporary files that they come from."""
    plain = tmp_path / "plain"
    plain.touch()
    write_atomically(tmp_path / "ours", lambda file: file.write(b"x"))
    assert (tmp_path / "ours").stat().st_mode == plain.stat().st_mode
