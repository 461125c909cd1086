"""deploy/: the manifests are what Kubernetes takes, and the Slurm snippet does what it says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from doc_pages import ROOT

from monitor.commands.probe import SKIPPED
from monitor.config import parse

KUBERNETES = ROOT / "deploy" / "kubernetes"
PROLOG = ROOT / "deploy" / "slurm" / "prolog.sh"


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((KUBERNETES / name).read_text()))


def pod_of(document: dict[str, Any]) -> dict[str, Any]:
    spec = document["spec"]
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    return dict(spec["template"]["spec"])


@pytest.mark.parametrize("name", ["daemonset.yaml", "cronjob.yaml"])
def test_a_pod_sees_every_gpu_and_requests_none(name: str) -> None:
    *_, workload = documents(name)
    pod = pod_of(workload)
    [container] = pod["containers"]
    environment = {one["name"]: one.get("value") for one in container["env"]}
    assert environment["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert "nvidia.com/gpu" not in {
        **container["resources"]["requests"],
        **container["resources"]["limits"],
    }
    assert pod["hostPID"] is True
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_the_config_of_the_daemon_set_is_valid() -> None:
    config_map, daemon_set = documents("daemonset.yaml")
    text = config_map["data"]["config.toml"]
    assert parse(Path("/etc/qrossover/config.toml"), text.encode(), with_token=False).probes
    labels = daemon_set["spec"]["template"]["metadata"]["labels"]
    assert daemon_set["spec"]["selector"]["matchLabels"] == labels


def test_the_cron_job_passes_where_the_gpu_is_busy(tmp_path: Path) -> None:
    [job] = documents("cronjob.yaml")
    command = pod_of(job)["containers"][0]["command"]
    for code, ended in ((0, 0), (1, 1), (SKIPPED, 0)):
        fake(tmp_path / "qrossover", f"exit {code}")
        path = f"{tmp_path}:{os.environ['PATH']}"
        done = subprocess.run(command, env={"PATH": path}, check=False)
        assert done.returncode == ended


def test_the_prolog_is_bash() -> None:
    subprocess.run(["bash", "-n", PROLOG], check=True)
    assert os.access(PROLOG, os.X_OK)


@pytest.mark.parametrize(("code", "ended"), [(0, 0), (1, 1), (2, 0), (3, 0), (70, 0)])
def test_the_prolog_fails_and_so_drains_the_node_for_exit_code_1_alone(
    tmp_path: Path, code: int, ended: int
) -> None:
    probe = fake(tmp_path / "probe", f'echo result; echo "wrong \\"bits\\"" >&2; exit {code}')
    done = prolog(probe)
    assert done.returncode == ended
    assert done.stdout == ""
    assert done.stderr == ('qrossover: auto of gpu-7 is bad: wrong "bits"\n' if ended else "")


def test_the_prolog_drains_no_node_for_an_installation_that_is_broken(tmp_path: Path) -> None:
    broken = tmp_path / "probe"
    broken.write_text(f"#!{sys.executable}\nimport qrossover_is_not_here\n")
    broken.chmod(0o755)
    assert prolog(broken).returncode == 0
    assert prolog(tmp_path / "nothing").returncode == 0


def test_the_prolog_tries_every_gpu_of_the_job_until_one_is_bad(tmp_path: Path) -> None:
    probe = fake(tmp_path / "probe", f'echo "$4" >> {tmp_path}/tried; [ "$4" != target=cuda:5 ]')
    assert prolog(probe, SLURM_JOB_GPUS="0,3,5,7").returncode == 1
    assert (tmp_path / "tried").read_text().split() == [f"target=cuda:{n}" for n in (0, 3, 5)]


def test_the_prolog_holds_a_real_probe_against_a_bound(tmp_path: Path) -> None:
    real = fake(
        tmp_path / "probe",
        f'exec {sys.executable} -m monitor.cli "$@" --set target=cpu --set \'dtypes=["float32"]\'',
    )
    done = prolog(real, QROSSOVER_FAIL_IF="gpu.gemm.throughput below 1e9")
    assert done.returncode == 1, done.stderr
    assert "is bad: gpu.gemm.throughput below 1e+09: " in done.stderr


def prolog(probe: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Without a search path, as Slurm runs it."""
    bash = shutil.which("bash")
    assert bash is not None
    return subprocess.run(
        [bash, PROLOG],
        env={
            "QROSSOVER": str(probe),
            "SLURMD_NODENAME": "gpu-7",
            "PYTHONPATH": str(ROOT),
            **more,
        },
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def fake(path: Path, body: str) -> Path:
    path.write_text(f'#!/bin/bash\n[ "$2" = --help ] && exit\n{body}\n')
    path.chmod(0o755)
    return path
