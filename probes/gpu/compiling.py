"""torch.compile: what it needs of a machine, and where it keeps what it has made."""

import importlib.util
import os
import platform
import shutil
import sysconfig
from pathlib import Path

from platformdirs import user_cache_path

CACHE = "TORCHINDUCTOR_CACHE_DIR"
"""The variable of torch's compiler that says where its cache lies,
https://docs.pytorch.org/tutorials/recipes/torch_compile_caching_configuration_tutorial.html."""


def prepare(kind: str) -> str:
    """Make ready to compile for devices of a kind ("cpu", "cuda"): the folder of the cache.

    That is what TORCHINDUCTOR_CACHE_DIR says, else a folder of ours in the user's cache directory
    (XDG_CACHE_HOME): torch's own default, in /tmp, is gone with each restart. Call it before torch
    compiles. Raises RuntimeError that says what to install.
    """
    lacks = lacking(kind)
    if lacks:
        raise RuntimeError(
            f"torch.compile needs {' and '.join(lacks)} on {platform.node()}: install that, or set "
            'mode = "eager"'
        )
    return os.environ.setdefault(CACHE, str(user_cache_path("qrossover") / "torch-compile"))


def lacking(kind: str) -> list[str]:
    """What torch's compiler needs for devices of that kind and does not find here.

    https://docs.pytorch.org/docs/main/user_guide/torch_compiler/torch.compiler.html: a C++
    compiler for a CPU; Triton for a GPU, which itself builds its launchers in C.
    """
    needs = {"Python.h (Debian: python3-dev)": _has_headers()}
    if kind == "cpu":
        compiler = os.environ.get("CXX", "g++")
        needs[f"the C++ compiler {compiler} (Debian: g++)"] = shutil.which(compiler) is not None
    else:
        compilers = [os.environ["CC"]] if "CC" in os.environ else ["gcc", "clang"]
        needs[f"a C compiler, {' or '.join(compilers)} (Debian: gcc)"] = any(
            map(shutil.which, compilers)
        )
        needs["the package triton"] = importlib.util.find_spec("triton") is not None
    return [need for need, there in needs.items() if not there]


def was_cached() -> bool:
    """Whether all that torch has compiled in this process came out of its cache."""
    from torch._dynamo.utils import counters

    found = counters["inductor"]
    return found["fxgraph_cache_hit"] > 0 and not found["fxgraph_cache_miss"]


def _has_headers() -> bool:
    return (Path(sysconfig.get_path("include")) / "Python.h").is_file()
