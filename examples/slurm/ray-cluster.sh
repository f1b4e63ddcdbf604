#!/bin/bash
# A Ray cluster inside a job, and one run that samples on all of its nodes:
#
#     sbatch examples/slurm/ray-cluster.sh configs/maml/ant-vel.yaml runs/ant-vel 1
#
# The last of these is the seed; options of "maml-rl train" may follow. It ends, and goes on after a requeue, as
# the runs of seeds.sh do. A signal to the steps of the job would end Ray; this one reaches the run alone:
# "scancel --batch --signal=USR1 JOB" has it save a checkpoint and go on.

#SBATCH --job-name=maml-rl-ray
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=maml-rl-ray-%j.out

# Seconds after which the run ends: those of --time, less ten minutes.
MAX_SECONDS=${MAX_SECONDS:-85800}
PORT=${PORT:-6379}

config=${1:?expected a config file}
folder=${2:?expected a folder for the run}
seed=${3:?expected a seed}
shift 3

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]}
cpus=${SLURM_CPUS_PER_TASK:?}

# Only who has this token can use the cluster; srun hands it to all nodes.
export RAY_AUTH_MODE=token
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
export RAY_AUTH_TOKEN

# Ray's processes are steps of the job and stay in the foreground of theirs: they end with it.
trap 'kill $(jobs -p) 2> /dev/null' EXIT
srun --nodes=1 --ntasks=1 --nodelist="$head" \
    ray start --head --port="$PORT" --num-cpus="$cpus" --include-dashboard=false --block &
for _ in $(seq 60); do
    (: > "/dev/tcp/$head/$PORT") 2> /dev/null && break # It listens.
    sleep 1
done
for node in "${nodes[@]:1}"; do
    srun --nodes=1 --ntasks=1 --nodelist="$node" \
        ray start --address="$head:$PORT" --num-cpus="$cpus" --block &
done

run=
trap '[ -z "$run" ] || kill -USR1 "$run"' USR1
trap '[ -z "$run" ] || kill -TERM "$run"' TERM
# This script runs on the first node. A processor stays free for the meta-updates.
maml-rl train --config "$config" --seed "$seed" --output-folder "$folder" --resume-or-start \
    --sampler ray --ray-address "$head:$PORT" --num-workers $((${#nodes[@]} * cpus - 1)) \
    --checkpoint-signal USR1 --max-seconds "$MAX_SECONDS" "$@" &
run=$!
wait "$run"
while kill -0 "$run" 2> /dev/null; do # A signal ended the waiting, and not the run.
    wait "$run"
done
wait "$run" # The run may have ended between the two; bash remembers its exit code.
code=$?
if [ "$code" -eq 75 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
