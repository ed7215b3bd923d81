"""What the runtime asks of an operating system and of a processor family, as LLVM text: one row each.

A port adds a row: threads, sleeping on a word, yielding, a clock; and how to pause and to flush subnormals.
"""

from __future__ import annotations

import sys

from kcompile.common.struct import struct


@struct(frozen=True)
class OperatingSystem:
    """`declarations` come once; the rest are definitions with the names and signatures that `runtime.text` calls.

    @kc.start_thread(ptr function, ptr argument) -> i32 error number
    @kc.block_signals(): signals go to the caller's threads, never to workers
    @kc.sleep(ptr word, i32 value): until woken, if the word still holds value; may wake for no reason
    @kc.wake(ptr word): whoever sleeps on it
    @kc.yield(), @kc.now() -> i64 nanoseconds
    """

    name: str
    definitions: str


@struct(frozen=True)
class Processor:
    """@kc.pause(), @kc.enter_float_mode() -> i64 old mode, @kc.leave_float_mode(i64)."""

    name: str
    definitions: str
    futex: int  # number of Linux's futex system call


_X86 = Processor("x86_64", """
declare void @llvm.x86.sse2.pause()
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define internal void @kc.pause() {
  call void @llvm.x86.sse2.pause()
  ret void
}
define internal i64 @kc.enter_float_mode() {
  %place = alloca i32
  call void @llvm.x86.sse.stmxcsr(ptr %place)
  %old = load i32, ptr %place
  store i32 40896, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  %wide = zext i32 %old to i64
  ret i64 %wide
}
define internal void @kc.leave_float_mode(i64 %old) {
  %place = alloca i32
  %narrow = trunc i64 %old to i32
  store i32 %narrow, ptr %place
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  ret void
}
""", 202)  # 40896 = 0x9FC0: round to nearest, no traps, subnormals flushed in and out

_ARM = Processor("aarch64", """
declare void @llvm.aarch64.hint(i32)
define internal void @kc.pause() {
  call void @llvm.aarch64.hint(i32 1)
  ret void
}
define internal i64 @kc.enter_float_mode() {
  %old = call i64 asm sideeffect "mrs $0, fpcr", "=r"()
  call void asm sideeffect "msr fpcr, $0", "r"(i64 16777216)
  ret i64 %old
}
define internal void @kc.leave_float_mode(i64 %old) {
  call void asm sideeffect "msr fpcr, $0", "r"(i64 %old)
  ret void
}
""", 98)  # 16777216 = 1 << 24: flush to zero

PROCESSORS = {p.name: p for p in (_X86, _ARM)}

# Synchronous faults (SIGILL 4, SIGBUS 7, SIGFPE 8, SIGSEGV 11) stay open, so that a crash is reported as one.
_SIGNAL_MASK = 0xFFFFFFFFFFFFFFFF & ~sum(1 << (n - 1) for n in (4, 7, 8, 11))


WORKERS_STACK = 8 << 20  # whatever `ulimit -s` says; pages are there when they are touched


def _linux(processor: Processor) -> OperatingSystem:
    mask = _SIGNAL_MASK - (1 << 64)
    return OperatingSystem("linux", f"""
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_attr_init(ptr)
declare i32 @pthread_attr_setstacksize(ptr, i64)
declare i32 @pthread_attr_destroy(ptr)
declare i32 @pthread_detach(i64)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sched_yield()
declare i32 @clock_gettime(i32, ptr)
declare i64 @syscall(i64, ...)
@kc.signals = internal constant [16 x i64] [{', '.join(['i64 ' + str(mask)] + ['i64 -1'] * 15)}]
define internal i32 @kc.start_thread(ptr %function, ptr %argument) {{
  %place = alloca i64
  %attributes = alloca [16 x i64]
  %made = call i32 @pthread_attr_init(ptr %attributes)
  %set = call i32 @pthread_attr_setstacksize(ptr %attributes, i64 {WORKERS_STACK})
  %error = call i32 @pthread_create(ptr %place, ptr %attributes, ptr %function, ptr %argument)
  %gone = call i32 @pthread_attr_destroy(ptr %attributes)
  %good = icmp eq i32 %error, 0
  br i1 %good, label %detach, label %done
detach:
  %thread = load i64, ptr %place
  %ignored = call i32 @pthread_detach(i64 %thread)
  br label %done
done:
  ret i32 %error
}}
define internal void @kc.block_signals() {{
  %ignored = call i32 @pthread_sigmask(i32 0, ptr @kc.signals, ptr null)
  ret void
}}
define internal void @kc.sleep(ptr %word, i32 %value) {{
  %ignored = call i64 (i64, ...) @syscall(i64 {processor.futex}, ptr %word, i32 128, i32 %value, ptr null, ptr null, i32 0)
  ret void
}}
define internal void @kc.wake(ptr %word) {{
  %ignored = call i64 (i64, ...) @syscall(i64 {processor.futex}, ptr %word, i32 129, i32 2147483647, ptr null, ptr null, i32 0)
  ret void
}}
define internal void @kc.yield() {{
  %ignored = call i32 @sched_yield()
  ret void
}}
define internal i64 @kc.now() {{
  %place = alloca [2 x i64]
  %ignored = call i32 @clock_gettime(i32 1, ptr %place)
  %seconds = load i64, ptr %place
  %rest.place = getelementptr i64, ptr %place, i64 1
  %rest = load i64, ptr %rest.place
  %scaled = mul i64 %seconds, 1000000000
  %now = add i64 %scaled, %rest
  ret i64 %now
}}
""")


SYSTEMS = {"linux": _linux}


def support(triple: str, platform: str = sys.platform) -> str:
    """The definitions for this system and processor. Raises RuntimeError where there is no row."""
    family = triple.split("-")[0]
    if platform not in SYSTEMS or family not in PROCESSORS:
        raise RuntimeError(f"no native runtime for {platform} on {family}; there is one for "
                           f"{', '.join(SYSTEMS)} on {', '.join(PROCESSORS)}")
    processor = PROCESSORS[family]
    return processor.definitions + SYSTEMS[platform](processor).definitions
