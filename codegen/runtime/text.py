"""The runtime as LLVM text: workers with a mailbox each, and the call into native code.

A worker sleeps on its own mailbox, so that one that takes no part in a call cannot see half of it. The caller is thread
0. How threads wait for one another is told in waiting.py, what they run in stepping.py and
looping.py.
"""

from __future__ import annotations

from ..object_code import FINAL_ADDRESSES
from ..text_builder import join
from .claims import BEGIN, CLAIM
from .errands import ERRANDS
from .layout import (
    CALL_CONTEXT,
    CALL_FUNCTION,
    CALL_POOL,
    CALL_SHARED,
    CALL_SMALL,
    CALL_THREADS,
    CLOSE_CALLS,
    IDLE_YIELDS,
    MAIL_ASLEEP,
    MAIL_CONTEXT,
    MAIL_DONE,
    MAIL_FUNCTION,
    MAIL_THREAD,
    MAIL_THREADS,
    MAILBOX_WORDS,
    POOL_CLAIMS,
    POOL_DONE,
    POOL_LAST,
    POOL_MAILBOXES,
    fields,
)
from .looping import LOOP
from .paces import PACES
from .rows import addresses_text, copy_text
from .stepping import STEP
from .system import support
from .waiting import BARRIER, SLEEPERS, SPIN

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
  %long = call i1 @kc.yield.slow()
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
{fields("call", pool=(CALL_POOL, "ptr"), function=(CALL_FUNCTION, "ptr"), context=(CALL_CONTEXT, "ptr"), wanted=(CALL_THREADS, "i64"),
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
  %claims = getelementptr i64, ptr %pool, i64 {POOL_CLAIMS}
  call void @kc.begin(ptr %claims, i64 %wanted)
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


def runtime_text(triple: str) -> str:
    """The runtime's module: exports kc_call, kc_step, kc_loop, kc_copy for rows that are gathered as they are, and kc_rows for
    those that are read where they lie. Its loops are short of work for other addresses: without looking for some LLVM takes 0.9 of the
    time, and every first step waits for it."""
    return FINAL_ADDRESSES + join([support(triple), BARRIER, _WORKER, _CALL, BEGIN, CLAIM, PACES, STEP, ERRANDS, LOOP, copy_text(),
                                   addresses_text()])
