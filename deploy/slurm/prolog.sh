#!/bin/bash
# Slurm: the GPUs of a job are tried before it (Prolog) or after it (Epilog), and their node is
# drained where one fails.
#
# slurm.conf:  Prolog=/etc/slurm/qrossover.sh   (with PrologFlags=Alloc), or Epilog=…
# It runs as root on the node and has no search path (https://slurm.schedmd.com/prolog_epilog.html).
# A Prolog that fails drains the node and requeues its job, held; an Epilog that fails drains the
# node. So the exit code is all that is needed: Slurm's own commands have no place in here, where
# each would wait for the controller. Nothing is stored; the reason is in the system's log.
#
# qrossover probe exits with 0: measured and good; 1: failed, or a reading is on the wrong side of a
# --fail-if; 2: wrong words; 3: skipped, since the GPU is busy; 70: a broken installation, such as a
# torch without CUDA. Only 1 says that a GPU is bad.

PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
QROSSOVER=${QROSSOVER:-/opt/qrossover/.venv/bin/qrossover}

if ! said=$("$QROSSOVER" probe --help 2>&1 >/dev/null); then
  logger -t qrossover "does not run on ${SLURMD_NODENAME:-$HOSTNAME}: $said" 2>/dev/null
  exit 0
fi

# The GPUs that the job is given, by the index that nvidia-smi prints; else the first free one.
targets=(auto)
[ -n "${SLURM_JOB_GPUS:-}" ] && read -ra targets <<<"$(sed 's/^/cuda:/; s/,/ cuda:/g' <<<"$SLURM_JOB_GPUS")"

for target in "${targets[@]}"; do
  # Edit this: what is tried, how long it may take, and what your GPUs must reach.
  said=$("$QROSSOVER" probe gpu.gemm --set "target=$target" --timeout 60s \
    ${QROSSOVER_FAIL_IF:+--fail-if "$QROSSOVER_FAIL_IF"} 2>&1 >/dev/null)
  case $? in
    0|3) ;;
    1) echo "qrossover: $target of ${SLURMD_NODENAME:-$HOSTNAME} is bad: $said" >&2
       logger -t qrossover "$target of ${SLURMD_NODENAME:-$HOSTNAME} is bad: $said" 2>/dev/null
       exit 1 ;;
    *) logger -t qrossover "not run on ${SLURMD_NODENAME:-$HOSTNAME}: $said" 2>/dev/null ;;
  esac
done
exit 0
