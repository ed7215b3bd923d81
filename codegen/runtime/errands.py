"""What a thread asks for while it computes, as LLVM text: what later calls of a run use of the samples that it is at,
and what the first ones use of the samples after these.

A thread's words: the place where it is in a stretch of memory, the stretch's end, where the next stretches are told; then these, each as
its beginning and its end, two zeros after the last.
"""

from __future__ import annotations

from .layout import (
    ASKED_AHEAD,
    ASKED_BYTES,
    ASKED_COUNT,
    ASKED_HEAD,
    ASKED_WORD,
    ASKED_WORDS,
    ERRAND_END,
    ERRAND_LIST,
    ERRAND_NEXT,
    ERRAND_PLACE,
    fields,
)

ERRANDS = f"""
define internal void @kc.errands(ptr %errands, ptr %frame, ptr %list, i64 %at, i64 %to, i64 %end, i64 %few) {{
entry:
{fields("list", count=(ASKED_COUNT, "i64"))}
  %left = sub i64 %end, %to
  %next = call i64 @llvm.umin.i64(i64 %left, i64 %few)
  %these = sub i64 %to, %at
  br label %one
one:
  %n = phi i64 [ 0, %entry ], [ %n.next, %one ]
  %offset.words = mul i64 %n, {ASKED_WORDS}
  %offset = add i64 %offset.words, {ASKED_HEAD}
  %asked = getelementptr i64, ptr %list, i64 %offset
{fields("asked", word=(ASKED_WORD, "i64"), bytes=(ASKED_BYTES, "i64"), ahead=(ASKED_AHEAD, "i64"))}
  %slot = getelementptr i64, ptr %frame, i64 %word
  %array = load i64, ptr %slot
  %of.these = icmp eq i64 %ahead, 0
  %from = select i1 %of.these, i64 %at, i64 %to
  %samples = select i1 %of.these, i64 %these, i64 %next
  %before = mul i64 %from, %bytes
  %begin = add i64 %array, %before
  %size = mul i64 %samples, %bytes
  %until = add i64 %begin, %size
  %pair.words = shl i64 %n, 1
  %pair.offset = add i64 %pair.words, {ERRAND_LIST}
  %pair = getelementptr i64, ptr %errands, i64 %pair.offset
  store i64 %begin, ptr %pair
  %pair.end = getelementptr i64, ptr %pair, i64 1
  store i64 %until, ptr %pair.end
  %n.next = add i64 %n, 1
  %more = icmp ult i64 %n.next, %count
  br i1 %more, label %one, label %last
last:
  %none = getelementptr i64, ptr %pair, i64 2
  store i64 0, ptr %none
  %none.end = getelementptr i64, ptr %pair, i64 3
  store i64 0, ptr %none.end
{fields("errands", first=(ERRAND_LIST, "i64"), stop=(ERRAND_LIST + 1, "i64"))}
  %place = getelementptr i64, ptr %errands, i64 {ERRAND_PLACE}
  store i64 %first, ptr %place
  %end.place = getelementptr i64, ptr %errands, i64 {ERRAND_END}
  store i64 %stop, ptr %end.place
  %following = getelementptr i64, ptr %errands, i64 {ERRAND_LIST + 2}
  %following.place = getelementptr i64, ptr %errands, i64 {ERRAND_NEXT}
  store ptr %following, ptr %following.place
  ret void
}}
"""
