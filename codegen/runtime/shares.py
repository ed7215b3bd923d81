"""What is a thread's share of so many trips where all get the same, as LLVM text."""

from __future__ import annotations


def share(first: str, end: str, count: str, thread: str = "thread") -> str:
    """%first and %end of the share of %thread in %count, of %threads: every thread's begins where that of the one before it ends."""
    return f"""  %{first}.scaled = mul i64 %{count}, %{thread}
  %{first}.most = sub i64 %threads, 1
  %{first}.up = add i64 %{first}.scaled, %{first}.most
  %{first} = udiv i64 %{first}.up, %threads
  %{end}.up = add i64 %{first}.up, %{count}
  %{end} = udiv i64 %{end}.up, %threads"""
