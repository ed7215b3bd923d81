"""The loop over many steps, as LLVM text: every thread runs it, and gathers its share of the rows of the next step."""

from __future__ import annotations

from .layout import (
    FEED_AHEAD,
    FEED_ELEMENTS,
    FEED_EVEN,
    FEED_ORDER,
    FEED_SOURCE,
    FEED_WORDS,
    LOOP_BATCH,
    LOOP_BUDGET,
    LOOP_DONE,
    LOOP_EVEN,
    LOOP_FEED_COUNT,
    LOOP_FEEDS,
    LOOP_FIRST,
    LOOP_FULL_STEPS,
    LOOP_GO,
    LOOP_MOVING,
    LOOP_MOVING_COUNT,
    LOOP_SHARED,
    LOOP_STEP,
    LOOP_STEPS,
    LOOP_STOP,
    LOOP_TAIL,
    LOOP_TAIL_ROWS,
    MOVE_BASE,
    MOVE_ODD,
    MOVE_STRIDE,
    MOVE_WORDS,
    fields,
)
from .shares import share

# Step s uses the even or the odd frame (or the tail's). A thread that is done with its share of step s writes what moves in the frame of
# step s + 1 and gathers its rows into the other half of the staging buffers, while others may still be at step s: one barrier a step. What
# is gathered is read at once: before the step, it would have been driven out of the caches by it. Shuffled rows of step s + 2 are asked
# for meanwhile: no processor foresees them, and they are on their way during a whole step.
LOOP = f"""
define i64 @kc_loop(ptr %loop, i64 %thread, i64 %threads, i64 %target0) {{
entry:
{fields("loop", shared=(LOOP_SHARED, "ptr"), function=(LOOP_STEP, "ptr"), first=(LOOP_FIRST, "i64"), steps=(LOOP_STEPS, "i64"),
         budget=(LOOP_BUDGET, "i64"))}
  %end = add i64 %first, %steps
  %first.thread = icmp eq i64 %thread, 0
  %start = call i64 @kc.now()
  %deadline = add i64 %start, %budget
  %go = getelementptr i64, ptr %loop, i64 {LOOP_GO}
  %stop.place = getelementptr i64, ptr %loop, i64 {LOOP_STOP}
  call void @kc.prepare(ptr %loop, i64 %first, i64 %thread, i64 %threads)
  %begun = call i64 @kc.meet(ptr %shared, i64 %threads, i64 %target0)
  br label %step
step:
  %s = phi i64 [ %first, %entry ], [ %following, %onward ]
  %target = phi i64 [ %begun, %entry ], [ %target3, %onward ]
  %following = add i64 %s, 1
  %ended = icmp eq i64 %following, %end
  %frame = call ptr @kc.frame(ptr %loop, i64 %s)
  %target2 = call i64 %function(ptr %frame, i64 %thread, i64 %threads, i64 %target)
  br i1 %ended, label %leave, label %ahead
ahead:
  call void @kc.prepare(ptr %loop, i64 %following, i64 %thread, i64 %threads)
  %parity = and i64 %s, 1
  %go.place = getelementptr i64, ptr %go, i64 %parity
  br i1 %first.thread, label %decide, label %join
decide:
  %now = call i64 @kc.now()
  %late = icmp sge i64 %now, %deadline
  %stop = load atomic i64, ptr %stop.place monotonic, align 8
  %stopped = icmp ne i64 %stop, 0
  %quit = or i1 %late, %stopped
  %on = xor i1 %quit, true
  %on.wide = zext i1 %on to i64
  store atomic i64 %on.wide, ptr %go.place release, align 8
  br label %join
join:
  %target3 = call i64 @kc.meet(ptr %shared, i64 %threads, i64 %target2)
  %answer = load atomic i64, ptr %go.place acquire, align 8
  %onwards = icmp ne i64 %answer, 0
  br i1 %onwards, label %onward, label %leave
onward:
  br label %step
leave:
  br i1 %first.thread, label %report, label %out
report:
  %done = sub i64 %following, %first
  %done.place = getelementptr i64, ptr %loop, i64 {LOOP_DONE}
  store i64 %done, ptr %done.place
  br label %out
out:
  ret i64 0
}}
define internal ptr @kc.frame(ptr %loop, i64 %s) {{
entry:
{fields("loop", full=(LOOP_FULL_STEPS, "i64"))}
  %whole = icmp ult i64 %s, %full
  %parity = and i64 %s, 1
  %turn = add i64 %parity, {LOOP_EVEN}
  %word = select i1 %whole, i64 %turn, i64 {LOOP_TAIL}
  %place = getelementptr i64, ptr %loop, i64 %word
  %frame = load ptr, ptr %place
  ret ptr %frame
}}
define internal void @kc.prepare(ptr %loop, i64 %s, i64 %thread, i64 %threads) {{
entry:
{fields("loop", full=(LOOP_FULL_STEPS, "i64"), feeds=(LOOP_FEEDS, "ptr"), feed_count=(LOOP_FEED_COUNT, "i64"), moving=(LOOP_MOVING, "ptr"),
         moving_count=(LOOP_MOVING_COUNT, "i64"), batch=(LOOP_BATCH, "i64"), tail=(LOOP_TAIL_ROWS, "i64"))}
  %parity = and i64 %s, 1
  %whole = icmp ult i64 %s, %full
  %rows = select i1 %whole, i64 %batch, i64 %tail
  %after = add i64 %s, 1
  %whole.after = icmp ult i64 %after, %full
  %row = mul i64 %s, %batch
  %first.thread = icmp eq i64 %thread, 0
  %moves = icmp ne i64 %moving_count, 0
  %write = and i1 %first.thread, %moves
  br i1 %write, label %pointers, label %rest
pointers:
  %frame = call ptr @kc.frame(ptr %loop, i64 %s)
  %even = icmp eq i64 %parity, 0
  br label %move
move:
  %k = phi i64 [ 0, %pointers ], [ %k.next, %move ]
  %k.offset = mul i64 %k, {MOVE_WORDS}
  %entry.word = getelementptr i64, ptr %moving, i64 %k.offset
  %word = load i64, ptr %entry.word
  %base.place = getelementptr i64, ptr %entry.word, i64 {MOVE_BASE}
  %base = load i64, ptr %base.place
  %stride.place = getelementptr i64, ptr %entry.word, i64 {MOVE_STRIDE}
  %stride = load i64, ptr %stride.place
  %odd.place = getelementptr i64, ptr %entry.word, i64 {MOVE_ODD}
  %odd = load i64, ptr %odd.place
  %advance = mul i64 %stride, %s
  %here = add i64 %base, %advance
  %alternate = select i1 %even, i64 0, i64 %odd
  %value = add i64 %here, %alternate
  %slot = getelementptr i64, ptr %frame, i64 %word
  store i64 %value, ptr %slot
  %k.next = add i64 %k, 1
  %k.more = icmp ult i64 %k.next, %moving_count
  br i1 %k.more, label %move, label %rest
rest:
{share("lo", "hi", "rows")}
  %some = icmp ult i64 %lo, %hi
  %any = icmp ne i64 %feed_count, 0
  %work = and i1 %some, %any
  br i1 %work, label %feed, label %done
feed:
  %f = phi i64 [ 0, %rest ], [ %f.next, %fed ]
  %f.offset = mul i64 %f, {FEED_WORDS}
  %entry.feed = getelementptr i64, ptr %feeds, i64 %f.offset
  %function = load ptr, ptr %entry.feed
  %turn = add i64 %parity, {FEED_EVEN}
  %to.place = getelementptr i64, ptr %entry.feed, i64 %turn
  %to = load ptr, ptr %to.place
  %from.place = getelementptr i64, ptr %entry.feed, i64 {FEED_SOURCE}
  %from = load ptr, ptr %from.place
  %order.place = getelementptr i64, ptr %entry.feed, i64 {FEED_ORDER}
  %order = load ptr, ptr %order.place
  %elements.place = getelementptr i64, ptr %entry.feed, i64 {FEED_ELEMENTS}
  %elements = load i64, ptr %elements.place
  call void %function(ptr %to, ptr %from, ptr %order, i64 %row, i64 %lo, i64 %hi, i64 %elements)
  %bytes.place = getelementptr i64, ptr %entry.feed, i64 {FEED_AHEAD}
  %bytes = load i64, ptr %bytes.place
  %asks = icmp ne i64 %bytes, 0
  %early = and i1 %asks, %whole.after
  br i1 %early, label %ask, label %fed
ask:
  %row.after = add i64 %row, %batch
  call void @kc.ask(ptr %from, ptr %order, i64 %row.after, i64 %lo, i64 %hi, i64 %bytes)
  br label %fed
fed:
  %f.next = add i64 %f, 1
  %f.more = icmp ult i64 %f.next, %feed_count
  br i1 %f.more, label %feed, label %done
done:
  ret void
}}
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
define internal void @kc.ask(ptr %from, ptr %order, i64 %row, i64 %lo, i64 %hi, i64 %bytes) {{
entry:
  %last = sub i64 %bytes, 1
  br label %rows
rows:
  %r = phi i64 [ %lo, %entry ], [ %r.next, %end ]
  %position = add i64 %row, %r
  %place = getelementptr i64, ptr %order, i64 %position
  %number = load i64, ptr %place
  %offset = mul i64 %number, %bytes
  %start = getelementptr i8, ptr %from, i64 %offset
  br label %lines
lines:
  %o = phi i64 [ 0, %rows ], [ %o.next, %lines ]
  %line = getelementptr i8, ptr %start, i64 %o
  call void @llvm.prefetch.p0(ptr %line, i32 0, i32 2, i32 1)
  %o.next = add i64 %o, 64
  %o.more = icmp ult i64 %o.next, %bytes
  br i1 %o.more, label %lines, label %end
end:
  %final = getelementptr i8, ptr %start, i64 %last
  call void @llvm.prefetch.p0(ptr %final, i32 0, i32 2, i32 1)
  %r.next = add i64 %r, 1
  %more = icmp slt i64 %r.next, %hi
  br i1 %more, label %rows, label %done
done:
  ret void
}}
"""
