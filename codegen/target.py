"""What code generation knows about a processor: vector width, registers, caches, instruction sets, cores, how fast it multiplies.

`Target.host()` describes this machine (host.py); `Target.named(...)` gives fixed descriptions, so that golden tests do not depend
on the machine they run on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kcompile.common.struct import replace, struct

from ..ir.program import COLUMNS
from ..ir.types import DType

if TYPE_CHECKING:
    from .options import CodegenOptions

MEASURED_SAMPLE = 1 << 20  # with 2 MB of second-level cache; samples of 3 MB gained nothing
LINE = 64  # bytes of a line of the caches
WAITING_BYTES = 512 << 10  # of sums that wait while others are summed, once or twice: they lie on the stack of a worker
_X86_TRIPLE = "x86_64-unknown-linux-gnu"
# LLVM prefers 256-bit vectors on some processors with AVX-512 and would cut our 512-bit vectors in two.
WHOLE_VECTORS = "-prefer-256-bit"
NUMBERS = ("l1", "l2", "cores", "multiply_adds")  # of a description, that may be given with its name: avx512,l1=48K,multiply_adds=2


@struct(frozen=True)
class Target:
    """`features` is LLVM's comma-separated string; sizes are bytes; `registers` counts vector registers. `multiply_adds`: how many of
    full vectors begin in a cycle (decision 0011 says how that is known)."""

    name: str
    triple: str
    cpu: str
    features: str
    vector_bytes: int
    registers: int
    l1: int
    l2: int
    cores: int
    masks: bool = False  # masked loads and stores cost about as much as plain ones
    native_bf16: bool = False
    multiply_adds: int = 1

    def lanes(self, dtype: DType) -> int:
        """Elements of one vector register, counted in the type that computes: f16 and bf16 compute as f32, bool as u8.

        1 where the target has no vectors.
        """
        size = 4 if dtype.is_float and dtype.size < 4 else dtype.size
        return max(1, self.vector_bytes // size)

    @property
    def wide(self) -> bool:
        """Whether vectors have 64 bytes. They leave two ports for all that computes, and what some steps gain has been measured with
        them alone."""
        return self.vector_bytes == 64

    @property
    def panel_columns(self) -> int:
        """Columns of the panels in which matrices lie that are trained: two vectors; 0 where they lie row by row. With vectors of 32 bytes
        updates lost more, where rows of activations lie a power of two apart, than products gained."""
        return COLUMNS if self.wide else 0

    @property
    def near_sample(self) -> int:
        """Bytes of a sample that stay in the second-level cache while kernels go through the samples together, as far as was measured."""
        return min(self.l2, MEASURED_SAMPLE)

    @property
    def filtered_lanes(self) -> int:
        """Lanes of which few may be dead in the products of minimal filtering; 1 where nothing is asked. Beside two multiply-adds of 64
        bytes in a cycle all that is no multiply-add, as its transforms, weighs twice as much."""
        return self.vector_bytes // 4 if self.wide and self.multiply_adds > 1 else 1

    def __str__(self) -> str:
        vectors = f"{self.registers} vectors of {self.vector_bytes} bytes" if self.vector_bytes else "no vectors"
        caches = f"caches of {self.l1 >> 10} and {self.l2 >> 10} KB"
        products = f"{self.multiply_adds} multiply-add{'s' if self.multiply_adds > 1 else ''} a cycle"
        return f"{vectors}, {products}, {caches}, {self.cores} cores"

    @property
    def is_x86(self) -> bool:
        return self.triple.startswith("x86_64")

    @staticmethod
    def host(options: CodegenOptions | None = None) -> Target:
        """This machine, as far as this process may use it (affinity and cgroup quota count). Found out once; `options` say where
        it may be remembered for other processes."""
        from .host import host
        return host(options)

    @staticmethod
    def named(name: str, options: CodegenOptions | None = None) -> Target:
        """One of 'avx512', 'avx2', 'neon', 'scalar', or 'host', with other numbers where these follow: 'host,multiply_adds=1,l2=1M'.
        Raises ValueError for other names and numbers."""
        base, numbers = split_name(name)
        found = Target.host(options) if base == "host" else NAMED[base]
        changed: dict[str, Any] = {**numbers, "name": name}
        return replace(found, **changed) if numbers else found


def split_name(name: str) -> tuple[str, dict[str, int]]:
    """A target's name without the numbers that follow it, and these. Raises ValueError."""
    base, *given = name.split(",")
    if base != "host" and base not in NAMED:
        raise ValueError(f"no target is called {base!r}; there are {', '.join([*NAMED, 'host'])}")
    numbers = {}
    for text in given:
        what, _, number = text.partition("=")
        unit = {"K": 10, "M": 20}.get(number[-1:], 0)
        digits = number[:-1] if unit else number
        if what not in NUMBERS or not digits.isdecimal() or int(digits) < 1:
            raise ValueError(f"{text!r} is no number of a target; expected one of {', '.join(NUMBERS)} with a number such as 2, 48K or 1M")
        numbers[what] = int(digits) << unit
    return base, numbers


NAMED: dict[str, Target] = {
    t.name: t
    for t in (
        Target("avx512", _X86_TRIPLE, "x86-64-v4", WHOLE_VECTORS, 64, 32, 32 << 10, 1 << 20, 2, masks=True),
        Target("avx2", _X86_TRIPLE, "x86-64-v3", "", 32, 16, 32 << 10, 512 << 10, 2, multiply_adds=2),
        Target("neon", "aarch64-unknown-linux-gnu", "generic", "+fullfp16", 16, 32, 64 << 10, 1 << 20, 2, multiply_adds=2),
        Target("scalar", _X86_TRIPLE, "x86-64-v3", "", 0, 16, 32 << 10, 512 << 10, 2, multiply_adds=2),
    )
}
