#!/bin/bash
# Slurm: a GPU node is tried before a job (Prolog) or after one (Epilog), and drained where it fails.
#
# slurm.conf:  Prolog=/etc/slurm/qrossover.sh   (with PrologFlags=Alloc), or Epilog=…
# It runs as root on the node (https://slurm.schedmd.com/prolog_epilog.html). Nothing is stored: the
# line in Slurm's log and the node's reason are what is left of it.
#
# qrossover probe exits with 0: measured and good; 1: failed, or a reading is on the wrong side of a
# --fail-if; 2: wrong words; 3: skipped, since the GPU is busy. Only 1 says that the node is bad.

QROSSOVER=${QROSSOVER:-/opt/qrossover/.venv/bin/qrossover}
NODE=${SLURMD_NODENAME:-$(hostname -s)}

# Edit this: what is tried, how long it may take, and what your GPUs must reach.
said=$("$QROSSOVER" probe gpu.gemm --timeout 60s \
  ${QROSSOVER_FAIL_IF:+--fail-if "$QROSSOVER_FAIL_IF"} 2>&1 >/dev/null)
status=$?

case $status in
  0|3) ;;
  1) scontrol update nodename="$NODE" state=drain reason="qrossover: $(head -n 1 <<<"$said" | cut -c1-200)" ;;
  *) logger -t qrossover "not run on $NODE (exit $status): $said" 2>/dev/null ;;
esac

# By this code alone a Prolog drains the node and requeues its job, held, and an Epilog drains it;
# scontrol above, which is called for bad nodes only, gives it a reason that people understand.
[ "$status" -ne 1 ]
