"""The runtime as LLVM text: workers with a mailbox each, the call into native code, and the loop over many steps.

All tables are arrays of 64-bit words that Python fills; their layouts are the constants of this file.

A worker sleeps on its own mailbox, so that one that takes no part in a call cannot see half of it. The caller is thread
0. How threads wait for one another is told in waiting.py.
"""

from __future__ import annotations

from ..text_builder import join
from .system import support
from .waiting import BARRIER, SLEEPERS, SLOW_YIELD, SPIN

# pool
POOL_STARTED, POOL_LAST, POOL_DONE, POOL_MAILBOXES, MAILBOX_WORDS, MAX_WORKERS = 0, 1, 16, 32, 16, 255
POOL_WORDS = POOL_MAILBOXES + MAILBOX_WORDS * MAX_WORKERS
# mailbox: sequence number (the word slept on), asleep, then the job and the pool's count of finished workers
MAIL_SEQUENCE, MAIL_ASLEEP, MAIL_FUNCTION, MAIL_CONTEXT, MAIL_THREAD, MAIL_THREADS, MAIL_DONE = range(7)
# call: what kc.call runs
CALL_POOL, CALL_FUNCTION, CALL_CONTEXT, CALL_THREADS, CALL_SHARED, CALL_SMALL = range(6)
CALL_WORDS = 8
IDLE_YIELDS = 1000  # yields of an idle worker before it sleeps
CLOSE_CALLS = 500_000  # nanoseconds between two small calls that find workers asleep, within which these are woken for the next one
# frame: what a step reads; after the table shared by its threads and that of its calls the rest is laid by codegen.step_text
FRAME_SHARED, FRAME_CALLS, FRAME_WORDS = range(3)
# calls: their number, then for each the kernel's function, its words of the frame, and whether threads meet before it
STEP_KERNEL, STEP_TRIPS, STEP_DIMS, STEP_ARGS, STEP_MEETS, STEP_WORDS = range(6)
# loop
(LOOP_SHARED, LOOP_STEP, LOOP_EVEN, LOOP_ODD, LOOP_TAIL, LOOP_FULL_STEPS, LOOP_FIRST, LOOP_STEPS, LOOP_BUDGET, LOOP_DONE, LOOP_FEEDS,
 LOOP_FEED_COUNT, LOOP_MOVING, LOOP_MOVING_COUNT, LOOP_BATCH, LOOP_TAIL_ROWS) = range(16)
LOOP_GO = 16  # two words, used in turn: whether there is a step after the next barrier
LOOP_STOP = 32  # set by anyone, at any time
LOOP_WORDS = 48
# feed: gather function, destinations for even and odd steps, source, order (or 0), elements a row
FEED_FUNCTION, FEED_EVEN, FEED_ODD, FEED_SOURCE, FEED_ORDER, FEED_ELEMENTS = range(6)
FEED_WORDS = 8
# moving pointer: the frames' word, value at step 0, what each step adds, what odd steps add
MOVE_WORD, MOVE_BASE, MOVE_STRIDE, MOVE_ODD = range(4)
MOVE_WORDS = 4

def _fields(table: str, **fields: tuple[int, str]) -> str:
    """Loads of words of a table: name=(word, type)."""
    lines = []
    for name, (word, kind) in fields.items():
        lines.append(f"  %{name}.place = getelementptr i64, ptr %{table}, i64 {word}")
        lines.append(f"  %{name} = load {kind}, ptr %{name}.place")
    return "\n".join(lines)


_WORKER = f"""
define internal ptr @kc.worker(ptr %mail) {{
entry:
  call void @kc.block_signals()
  %ignored = call i64 @kc.enter_float_mode()
  %asleep = getelementptr i64, ptr %mail, i64 {MAIL_ASLEEP}
  br label %fresh
fresh:
  %seen = phi i32 [ 0, %entry ], [ %sequence, %work ]
  br label %look
look:
  %tries = phi i64 [ 0, %fresh ], [ %paused, %pause ], [ %yielded, %yield ], [ 0, %sleep ], [ 0, %awake ]
  %sequence = load atomic i32, ptr %mail seq_cst, align 8
  %same = icmp eq i32 %sequence, %seen
  br i1 %same, label %idle, label %work
idle:
  %patient = icmp ult i64 %tries, {SPIN}
  br i1 %patient, label %pause, label %tired
pause:
  call void @kc.pause()
  %paused = add i64 %tries, 1
  br label %look
tired:
  %hopeful = icmp ult i64 %tries, {SPIN + IDLE_YIELDS}
  br i1 %hopeful, label %yield, label %prepare
yield:
  %before = call i64 @kc.now()
  call void @kc.yield()
  %after = call i64 @kc.now()
  %took = sub i64 %after, %before
  %long = icmp ugt i64 %took, {SLOW_YIELD}
  %one.more = add i64 %tries, 1
  %yielded = select i1 %long, i64 {SPIN + IDLE_YIELDS}, i64 %one.more
  br label %look
prepare:
  store atomic i32 1, ptr %asleep seq_cst, align 8
  %recheck = load atomic i32, ptr %mail seq_cst, align 8
  %still = icmp eq i32 %recheck, %seen
  br i1 %still, label %sleep, label %awake
sleep:
  call void @kc.sleep(ptr %mail, i32 %seen)
  store atomic i32 0, ptr %asleep seq_cst, align 8
  br label %look
awake:
  store atomic i32 0, ptr %asleep seq_cst, align 8
  br label %look
work:
  %function.place = getelementptr i64, ptr %mail, i64 {MAIL_FUNCTION}
  %function = load ptr, ptr %function.place
  %context.place = getelementptr i64, ptr %mail, i64 {MAIL_CONTEXT}
  %context = load ptr, ptr %context.place
  %thread.place = getelementptr i64, ptr %mail, i64 {MAIL_THREAD}
  %thread = load i64, ptr %thread.place
  %threads.place = getelementptr i64, ptr %mail, i64 {MAIL_THREADS}
  %threads = load i64, ptr %threads.place
  %done.place = getelementptr i64, ptr %mail, i64 {MAIL_DONE}
  %done = load ptr, ptr %done.place
  %ignored2 = call i64 %function(ptr %context, i64 %thread, i64 %threads, i64 0)
  %ignored3 = atomicrmw add ptr %done, i64 1 seq_cst
  call void @kc.wake.sleepers(ptr %done)
  br label %fresh
}}
"""

# Returns 0, or the error number of a thread that could not be started (then nothing ran). A small call does not wait until workers
# have woken up: it runs alone, and wakes them for the next one where calls follow each other closely.
_CALL = f"""
define i64 @kc_call(ptr %call) {{
entry:
{_fields("call", pool=(CALL_POOL, "ptr"), function=(CALL_FUNCTION, "ptr"), context=(CALL_CONTEXT, "ptr"), wanted=(CALL_THREADS, "i64"),
         shared=(CALL_SHARED, "ptr"), small=(CALL_SMALL, "i64"))}
  store atomic i64 0, ptr %shared release, align 8
  %shared.sleepers = getelementptr i64, ptr %shared, i64 {SLEEPERS}
  store atomic i64 0, ptr %shared.sleepers release, align 8
  %single = icmp eq i64 %wanted, 1
  br i1 %single, label %run, label %crew
crew:
  %workers = sub i64 %wanted, 1
  %done = getelementptr i64, ptr %pool, i64 {POOL_DONE}
  %last.place = getelementptr i64, ptr %pool, i64 {POOL_LAST}
  br label %start
start:
  %started = load i64, ptr %pool
  %enough = icmp uge i64 %started, %workers
  br i1 %enough, label %ready, label %create
create:
  %new.offset.words = mul i64 %started, {MAILBOX_WORDS}
  %new.offset = add i64 %new.offset.words, {POOL_MAILBOXES}
  %new = getelementptr i64, ptr %pool, i64 %new.offset
  %error = call i32 @kc.start_thread(ptr @kc.worker, ptr %new)
  %good = icmp eq i32 %error, 0
  br i1 %good, label %created, label %failed
created:
  %one.more = add i64 %started, 1
  store i64 %one.more, ptr %pool
  br label %start
failed:
  %error.wide = zext i32 %error to i64
  ret i64 %error.wide
ready:
  %hurried = icmp ne i64 %small, 0
  br i1 %hurried, label %count, label %together
count:
  %asked = phi i64 [ 0, %ready ], [ %asked.next, %count ]
  %absent = phi i64 [ 0, %ready ], [ %absent.next, %count ]
  %asked.offset = mul i64 %asked, {MAILBOX_WORDS}
  %asked.word = add i64 %asked.offset, {POOL_MAILBOXES + MAIL_ASLEEP}
  %asked.place = getelementptr i64, ptr %pool, i64 %asked.word
  %asked.asleep = load atomic i32, ptr %asked.place seq_cst, align 8
  %asked.wide = zext i32 %asked.asleep to i64
  %absent.next = add i64 %absent, %asked.wide
  %asked.next = add i64 %asked, 1
  %asked.all = icmp eq i64 %asked.next, %workers
  br i1 %asked.all, label %decide, label %count
decide:
  %all.there = icmp eq i64 %absent.next, 0
  br i1 %all.there, label %together, label %lonely
lonely:
  %now = call i64 @kc.now()
  %last = load i64, ptr %last.place
  %since = sub i64 %now, %last
  store i64 %now, ptr %last.place
  %recent = icmp ult i64 %since, {CLOSE_CALLS}
  br i1 %recent, label %rouse, label %run
rouse:
  %roused = phi i64 [ 0, %lonely ], [ %roused.next, %rouse ]
  %roused.offset = mul i64 %roused, {MAILBOX_WORDS}
  %roused.word = add i64 %roused.offset, {POOL_MAILBOXES}
  %roused.mail = getelementptr i64, ptr %pool, i64 %roused.word
  call void @kc.wake(ptr %roused.mail)
  %roused.next = add i64 %roused, 1
  %roused.all = icmp eq i64 %roused.next, %workers
  br i1 %roused.all, label %run, label %rouse
together:
  store atomic i64 0, ptr %done release, align 8
  %done.sleepers = getelementptr i64, ptr %done, i64 {SLEEPERS}
  store atomic i64 0, ptr %done.sleepers release, align 8
  br label %post
post:
  %worker = phi i64 [ 0, %together ], [ %following, %posted ]
  %offset.words = mul i64 %worker, {MAILBOX_WORDS}
  %offset = add i64 %offset.words, {POOL_MAILBOXES}
  %mail = getelementptr i64, ptr %pool, i64 %offset
  %following = add i64 %worker, 1
  %m.function = getelementptr i64, ptr %mail, i64 {MAIL_FUNCTION}
  store ptr %function, ptr %m.function
  %m.context = getelementptr i64, ptr %mail, i64 {MAIL_CONTEXT}
  store ptr %context, ptr %m.context
  %m.thread = getelementptr i64, ptr %mail, i64 {MAIL_THREAD}
  store i64 %following, ptr %m.thread
  %m.threads = getelementptr i64, ptr %mail, i64 {MAIL_THREADS}
  store i64 %wanted, ptr %m.threads
  %m.done = getelementptr i64, ptr %mail, i64 {MAIL_DONE}
  store ptr %done, ptr %m.done
  %old = atomicrmw add ptr %mail, i32 1 seq_cst
  %m.asleep = getelementptr i64, ptr %mail, i64 {MAIL_ASLEEP}
  %asleep = load atomic i32, ptr %m.asleep seq_cst, align 8
  %sleeping = icmp ne i32 %asleep, 0
  br i1 %sleeping, label %wake, label %posted
wake:
  call void @kc.wake(ptr %mail)
  br label %posted
posted:
  %all = icmp eq i64 %following, %workers
  br i1 %all, label %run, label %post
run:
  %threads = phi i64 [ 1, %entry ], [ 1, %lonely ], [ 1, %rouse ], [ %wanted, %posted ]
  %mode = call i64 @kc.enter_float_mode()
  %ignored = call i64 %function(ptr %context, i64 0, i64 %threads, i64 0)
  call void @kc.leave_float_mode(i64 %mode)
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %finished, label %gather
gather:
  %waiting = sub i64 %threads, 1
  %count.place = getelementptr i64, ptr %pool, i64 {POOL_DONE}
  call void @kc.wait(ptr %count.place, i64 %waiting, ptr %shared)
  br label %finished
finished:
  ret i64 0
}}
"""


# One step: this thread's share of the trips of every kernel, in order. Returns the barrier count to go on with.
_STEP = f"""
define i64 @kc_step(ptr %frame, i64 %thread, i64 %threads, i64 %target0) {{
entry:
{_fields("frame", shared=(FRAME_SHARED, "ptr"), calls=(FRAME_CALLS, "ptr"))}
  %count = load i64, ptr %calls
  %table = getelementptr i64, ptr %calls, i64 1
  %up = sub i64 %threads, 1
  br label %next
next:
  %n = phi i64 [ 0, %entry ], [ %following, %done ]
  %target = phi i64 [ %target0, %entry ], [ %target2, %done ]
  %more = icmp ult i64 %n, %count
  br i1 %more, label %call, label %out
call:
  %offset = mul i64 %n, {STEP_WORDS}
  %entry.call = getelementptr i64, ptr %table, i64 %offset
{_fields("entry.call", kernel=(STEP_KERNEL, "ptr"), trips_word=(STEP_TRIPS, "i64"), dims_word=(STEP_DIMS, "i64"),
         args_word=(STEP_ARGS, "i64"), meets=(STEP_MEETS, "i64"))}
  %together = icmp ne i64 %meets, 0
  br i1 %together, label %meet, label %share
meet:
  %target1 = call i64 @kc.meet(ptr %shared, i64 %threads, i64 %target)
  br label %share
share:
  %target2 = phi i64 [ %target, %call ], [ %target1, %meet ]
  %trips.place = getelementptr i64, ptr %frame, i64 %trips_word
  %trips = load i64, ptr %trips.place
  %before = mul i64 %trips, %thread
  %before.up = add i64 %before, %up
  %lo = udiv i64 %before.up, %threads
  %after.up = add i64 %before.up, %trips
  %hi = udiv i64 %after.up, %threads
  %any = icmp ult i64 %lo, %hi
  br i1 %any, label %work, label %done
work:
  %dims = getelementptr i64, ptr %frame, i64 %dims_word
  %args = getelementptr i64, ptr %frame, i64 %args_word
  call void %kernel(ptr %args, ptr %dims, i64 %lo, i64 %hi)
  br label %done
done:
  %following = add i64 %n, 1
  br label %next
out:
  ret i64 %target
}}
"""

# Step s uses the even or the odd frame (or the tail's); what moves in the frame of step s + 1 is written, and its rows are
# gathered into the other half of the staging buffers, while step s runs: one barrier a step.
_LOOP = f"""
define i64 @kc_loop(ptr %loop, i64 %thread, i64 %threads, i64 %target0) {{
entry:
{_fields("loop", shared=(LOOP_SHARED, "ptr"), function=(LOOP_STEP, "ptr"), first=(LOOP_FIRST, "i64"), steps=(LOOP_STEPS, "i64"),
         budget=(LOOP_BUDGET, "i64"))}
  %end = add i64 %first, %steps
  %first.thread = icmp eq i64 %thread, 0
  %start = call i64 @kc.now()
  %deadline = add i64 %start, %budget
  %go = getelementptr i64, ptr %loop, i64 {LOOP_GO}
  %stop.place = getelementptr i64, ptr %loop, i64 {LOOP_STOP}
  call void @kc.prepare(ptr %loop, i64 %first, i64 %thread, i64 %threads)
  br label %step
step:
  %s = phi i64 [ %first, %entry ], [ %following, %onward ]
  %target = phi i64 [ %target0, %entry ], [ %target3, %onward ]
  %target1 = call i64 @kc.meet(ptr %shared, i64 %threads, i64 %target)
  %frame = call ptr @kc.frame(ptr %loop, i64 %s)
  %target2 = call i64 %function(ptr %frame, i64 %thread, i64 %threads, i64 %target1)
  %following = add i64 %s, 1
  %parity = and i64 %s, 1
  %go.place = getelementptr i64, ptr %go, i64 %parity
  %ended = icmp eq i64 %following, %end
  br i1 %ended, label %leave, label %ahead
ahead:
  br i1 %first.thread, label %decide, label %stage
decide:
  %now = call i64 @kc.now()
  %late = icmp sge i64 %now, %deadline
  %stop = load atomic i64, ptr %stop.place monotonic, align 8
  %stopped = icmp ne i64 %stop, 0
  %quit = or i1 %late, %stopped
  %on = xor i1 %quit, true
  %on.wide = zext i1 %on to i64
  store atomic i64 %on.wide, ptr %go.place release, align 8
  br label %stage
stage:
  call void @kc.prepare(ptr %loop, i64 %following, i64 %thread, i64 %threads)
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
{_fields("loop", full=(LOOP_FULL_STEPS, "i64"))}
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
{_fields("loop", full=(LOOP_FULL_STEPS, "i64"), feeds=(LOOP_FEEDS, "ptr"), feed_count=(LOOP_FEED_COUNT, "i64"), moving=(LOOP_MOVING, "ptr"),
         moving_count=(LOOP_MOVING_COUNT, "i64"), batch=(LOOP_BATCH, "i64"), tail=(LOOP_TAIL_ROWS, "i64"))}
  %parity = and i64 %s, 1
  %whole = icmp ult i64 %s, %full
  %rows = select i1 %whole, i64 %batch, i64 %tail
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
  %lo.scaled = mul i64 %rows, %thread
  %up = sub i64 %threads, 1
  %lo.up = add i64 %lo.scaled, %up
  %lo = udiv i64 %lo.up, %threads
  %hi.scaled = add i64 %lo.scaled, %rows
  %hi.up = add i64 %hi.scaled, %up
  %hi = udiv i64 %hi.up, %threads
  %some = icmp ult i64 %lo, %hi
  %any = icmp ne i64 %feed_count, 0
  %work = and i1 %some, %any
  br i1 %work, label %feed, label %done
feed:
  %f = phi i64 [ 0, %rest ], [ %f.next, %feed ]
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
  %f.next = add i64 %f, 1
  %f.more = icmp ult i64 %f.next, %feed_count
  br i1 %f.more, label %feed, label %done
done:
  ret void
}}
"""


def runtime_text(triple: str) -> str:
    """The runtime's module: exports kc_call, kc_step and kc_loop."""
    return join([support(triple), BARRIER, _WORKER, _CALL, _STEP, _LOOP])
