"""Programs as text: buffers, steps with their kernels, outputs.

    program mlp.train {
      param x: f32[B, 784]
      state dense/kernel: f32[784, 128]  role=weight
      temp t3: f32[B, 128]  steps=0..2  why="..."
      view t4: f32[B, 128, 1]  of=t3
      output loss: f32[]
      step 0 barrier
        kernel k0 "dense"
          ...
      out loss = loss
      update dense/kernel = t9
      verdict t3: k0 -> k1 fused map "..."
    }

A fusion verdict is printed only with `verdicts`: it explains the program and is no part of it.
"""

from __future__ import annotations

from ..program import BUFFER_KINDS, Buffer, Lifetime, Program, Step, Verdict
from .kernels import parse_kernel_at, print_kernel
from .tokens import Cursor, name_text, quote


def print_program(program: Program, verdicts: bool = False) -> str:
    """The text of a program; `parse_program` reads it back. `verdicts`: with what fusion decided on each edge."""
    lines = [f"program {name_text(program.name)} {{\n"]
    for buffer in program.buffers.values():
        lines.append(f"  {buffer_text(buffer, program.lifetimes.get(buffer.name))}\n")
    for number, step in enumerate(program.steps):
        lines.append(f"  step {number}{step.marks}\n")
        lines.append(print_kernel(step.kernel, "    "))
    lines.extend(f"  out {name_text(name)} = {name_text(buffer)}\n" for name, buffer in program.outputs.items())
    lines.extend(f"  update {name_text(state)} = {name_text(buffer)}\n" for state, buffer in program.updates.items())
    if verdicts:
        lines.extend(f"  verdict {name_text(v.array)}: {name_text(v.producer)} -> {name_text(v.consumer)} "
                     f"{'fused' if v.fused else 'apart'} {quote(v.row)} {quote(v.reason)}\n" for v in program.verdicts)
    return "".join([*lines, "}\n"])


def buffer_text(buffer: Buffer, lifetime: Lifetime | None) -> str:
    """One line of a program: a buffer, with the steps of its lifetime where that is known."""
    text = f"{buffer.kind} {name_text(buffer.name)}: {buffer.type}"
    text += f"  role={buffer.role}" if buffer.role else ""
    text += f"  of={name_text(buffer.of)}" if buffer.of else ""
    text += f"  panels={buffer.panels}" if buffer.panels else ""
    text += f"  steps={lifetime.first}..{lifetime.last}" if lifetime else ""
    return text + (f"  why={quote(buffer.why)}" if buffer.why else "")


def parse_program(text: str, file: str = "<text>", first_line: int = 1) -> Program:
    """The program of a text. Raises ParseError."""
    cursor = Cursor(text, file, first_line)
    program = parse_program_at(cursor)
    if cursor.token.kind != "end":
        raise cursor.error("the end of the text")
    return program


def parse_program_at(cursor: Cursor) -> Program:
    """The program that begins at the cursor, which stands behind it afterwards. Raises ParseError."""
    cursor.skip_lines()
    cursor.expect("program")
    name = cursor.name("the program's name")
    cursor.expect("{")
    cursor.end_line()
    buffers: dict[str, Buffer] = {}
    lifetimes: dict[str, Lifetime] = {}
    steps: list[Step] = []
    outputs: dict[str, str] = {}
    updates: dict[str, str] = {}
    verdicts: list[Verdict] = []
    while not cursor.accept("}"):
        token = cursor.token
        if token.kind == "name" and token.text in BUFFER_KINDS:
            _parse_buffer(cursor, buffers, lifetimes)
        elif cursor.accept("step"):
            if cursor.integer("the step's number") != len(steps):
                raise cursor.error(f"step {len(steps)}", cursor.tokens[cursor.position - 1])
            barrier, along, kept = (cursor.accept(mark) for mark in ("barrier", "along", "kept"))
            cursor.end_line()
            steps.append(Step(parse_kernel_at(cursor), barrier, along, kept))
        elif cursor.accept("out") or cursor.accept("update"):
            table = outputs if token.text == "out" else updates
            key = cursor.name("a name")
            cursor.expect("=")
            table[key] = _buffer_name(cursor, buffers)
            cursor.end_line()
        elif cursor.accept("verdict"):
            verdicts.append(_parse_verdict(cursor))
        else:
            raise cursor.error(f"a buffer ({', '.join(BUFFER_KINDS)}), step, out, update, verdict or '}}'")
    cursor.end_line()
    return Program(name, buffers, tuple(steps), outputs, updates, lifetimes, tuple(verdicts))


def _parse_buffer(cursor: Cursor, buffers: dict[str, Buffer], lifetimes: dict[str, Lifetime]) -> None:
    kind = cursor.next().text
    token = cursor.token
    name = cursor.name("the buffer's name")
    if name in buffers:
        raise cursor.error("a name that is not taken", token)
    cursor.expect(":")
    declared = cursor.type()
    of = role = why = ""
    panels = 0
    while cursor.token.kind == "name":
        key = cursor.next().text
        cursor.expect("=")
        if key == "steps":
            first = cursor.integer()
            cursor.expect("..")
            lifetimes[name] = Lifetime(first, cursor.integer())
        elif key == "of":
            of = cursor.name("a buffer")
        elif key == "role":
            role = cursor.name("a role")
        elif key == "panels":
            panels = cursor.integer("the columns of a panel")
        elif key == "why":
            why = cursor.string("a reason in quotes")
        else:
            raise cursor.error("role=, of=, panels=, steps= or why=", cursor.tokens[cursor.position - 2])
    cursor.end_line()
    buffers[name] = Buffer(name, declared, kind, of, role, why, panels)


def _buffer_name(cursor: Cursor, buffers: dict[str, Buffer]) -> str:
    token = cursor.token
    name = cursor.name("a buffer")
    if name not in buffers:
        raise cursor.error("a buffer that is declared above", token)
    return name


def _parse_verdict(cursor: Cursor) -> Verdict:
    array = cursor.name("an array")
    cursor.expect(":")
    producer = cursor.name("the producer")
    cursor.expect("-")
    cursor.expect(">")
    consumer = cursor.name("the consumer")
    token = cursor.next()
    if token.text not in ("fused", "apart"):
        raise cursor.error("fused or apart", token)
    row, reason = cursor.string("the row of the table"), cursor.string("a reason")
    cursor.end_line()
    return Verdict(producer, consumer, array, token.text == "fused", row, reason)
