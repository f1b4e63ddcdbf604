"""Stop a run and go on with it: it ends as one that was never stopped, to the bit.

A run keeps checkpoints in its folder. ``maml-rl train --resume FOLDER`` goes on from the newest,
after Ctrl-C, a crash or a power cut; or, as here, to make more meta-updates than it was to make at first.
In jobs that are begun again and again, ``--output-folder FOLDER --resume-or-start`` does either.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from maml_rl.cli import main

NAVIGATION = (
    "--env-name 2DNavigation-v0 --meta-batch-size 5 --fast-batch-size 5 --seed 1 --num-workers 0 --quiet"
)

if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        stopped, whole = Path(folder) / "stopped", Path(folder) / "whole"
        main(["train", *NAVIGATION.split(), "--num-batches", "4", "--output-folder", str(stopped)])
        print("stopped after", (stopped / "metrics.csv").read_text().count("\n") - 1, "meta-updates")
        main(["train", "--resume", str(stopped), "--num-batches", "8", "--num-workers", "0", "--quiet"])
        print("went on to", (stopped / "metrics.csv").read_text().count("\n") - 1)
        main(["train", *NAVIGATION.split(), "--num-batches", "8", "--output-folder", str(whole)])
        for name in ("metrics.csv", "policy.th"):
            same = (stopped / name).read_bytes() == (whole / name).read_bytes()
            print(f"{name} is {'the same' if same else 'another'} as without the stop")
