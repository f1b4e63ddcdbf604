#!/bin/bash
# An array of seeds, a job each, whose runs may take longer than a queue allows:
#
#     sbatch examples/slurm/seeds.sh configs/maml/ant-vel.yaml runs/ant-vel
#
# Options of "maml-rl train" may follow. Ten minutes before the job's time is up, the run saves a checkpoint and
# ends with exit code 75; the job then goes back into the queue, and the run goes on where it stopped. It does so
# too if Slurm preempts the job. "scancel --signal=USR1 JOB" has the run save a checkpoint and go on, and so does
# the signal that Slurm sends two minutes before the end.

#SBATCH --job-name=maml-rl
#SBATCH --array=1-5
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=maml-rl-%A_%a.out

# Seconds after which the run ends: those of --time, less ten minutes.
MAX_SECONDS=${MAX_SECONDS:-85800}

config=${1:?expected a config file}
folder=${2:?expected a folder for the runs}
shift 2

# Slurm's SIGTERM ends the run, with a checkpoint; this shell outlives it, for without it the job would be over.
trap : TERM

srun maml-rl train --config "$config" --seed "$SLURM_ARRAY_TASK_ID" \
    --output-folder "$folder/seed-$SLURM_ARRAY_TASK_ID" --resume-or-start \
    --checkpoint-signal USR1 --max-seconds "$MAX_SECONDS" "$@"
code=$?
if [ "$code" -eq 75 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
