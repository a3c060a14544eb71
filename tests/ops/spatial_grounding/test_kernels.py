"""The kernels as a GPU gets them: compiled for Hopper, in a process that does not interpret them. No GPU is needed."""

import os
import re
import subprocess
import sys

import pytest

pytest.importorskip("triton", reason="needs Triton")

COMPILE = """
import sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from avground.ops.spatial_grounding import kernels, launch

maps, combine, normalize, similarity, stages, c, s, cells = sys.argv[1:]
config = launch.Config(stages=int(stages), cells=int(cells))
settings = launch.settings_of(
    int(c), int(s), 2, similarity, similarity == "cosine", combine, normalize, config
)
warps = settings.pop("num_warps")
for kernel in (kernels.forward_kernel, kernels.backward_kernel):
    given = {**settings, "LENGTHS": False}
    pointers = {"p_maps": "*" + maps, "p_rows": "*i64"}
    signature, constants, aligned = {}, {}, {}
    for place, name in enumerate(kernel.arg_names):
        if name in given:
            signature[name], constants[(place,)] = "constexpr", given[name]
        elif name.startswith("p_"):
            signature[name], aligned[(place,)] = pointers.get(name, "*fp32"), [["tt.divisibility", 16]]
        else:
            signature[name] = "i32" if name == "n" else "fp32"
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=aligned)
    built = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
    print(built.asm["ptx"])
"""


def compile_for_hopper(*, maps="bf16", combine="product", normalize="softmax", similarity="cosine",
                       stages=3, c=512, s=196, cells=256):  # fmt: skip
    values = (maps, combine, normalize, similarity, stages, c, s, cells)
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-c", COMPILE, *map(str, values)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(".entry") == 2
    return done.stdout


@pytest.mark.parametrize(
    "setting",
    [
        {},
        {"maps": "fp16", "combine": "sum"},
        {"maps": "fp32", "normalize": "sum", "similarity": "dot"},
        {"c": 33, "s": 3000},
    ],
    ids=str,
)
def test_compiled_for_hopper(setting):
    compile_for_hopper(**setting)


def test_a_published_map_is_fetched_ahead_eight_bytes_a_thread():
    ptx = compile_for_hopper()
    sizes = [
        int(size, 16) for size in re.findall(r"cp\.async\.ca\.shared\.global \[.*?\], \[.*?\], (0x[0-9a-f]+)", ptx)
    ]
    assert sizes.count(8) > sizes.count(4)  # weights and queries are fetched in single numbers
    assert 2 not in sizes
    assert not re.search(r"ld\.global[.a-zA-Z0-9:_]*\.[bu]16", compile_for_hopper(stages=1))
