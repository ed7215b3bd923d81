"""One step, as LLVM text: every thread runs this code on the same tables, each its share of the trips."""

from __future__ import annotations

from .claims import MOST_CLAIMED
from .helping import MOST_HELPED
from .layout import (
    CLAIM_WORDS,
    CLAIMS,
    CLAIMS_BEFORE,
    EACH_PASS,
    ERRAND_BEFORE,
    ERRAND_END,
    ERRAND_WORDS,
    FRAME_CALLS,
    FRAME_SHARED,
    MORE_CLAIMS,
    MORE_COUNT,
    MORE_FUNCTION,
    MORE_MOST,
    MORE_PIECE,
    MORE_THREAD,
    MORE_THREADS,
    MORE_WORDS,
    MOST_ARGS,
    PASS_FUNCTION,
    PASS_NOW,
    PASS_PACE,
    PASS_WAIT,
    PASS_WAKE,
    PASS_WORDS,
    PRIVATE_ARG,
    PRIVATE_ARGS,
    PRIVATE_BYTES,
    PRIVATE_COUNT,
    PRIVATE_HEAD,
    PRIVATE_PLACE,
    PRIVATE_WORDS,
    STEP_ARGS,
    STEP_ASKED,
    STEP_COST,
    STEP_DIMS,
    STEP_INSIDE,
    STEP_KERNEL,
    STEP_MEETS,
    STEP_PIECE,
    STEP_PRIVATE,
    STEP_SAMPLES,
    STEP_TOGETHER,
    STEP_TRIPS,
    STEP_UNIT,
    STEP_WORDS,
    STEPS_BEGIN,
    STEPS_COUNT,
    STEPS_HEAD,
    STEPS_MORE,
    STEPS_PASS,
    STEPS_PRIVATE,
    WORDS_BEFORE,
    fields,
    stored,
)
from .paces import WORTH_PACING
from .shares import share
from .waiting import SHARED_CLAIMS

# What a call that claims its trips itself is told: what does not change within a step.
_MORE = ((MORE_FUNCTION, "ptr @kc.claim.more"), (MORE_CLAIMS, "ptr %claims"), (MORE_THREAD, "i64 %thread"), (MORE_THREADS, "i64 %threads"))

# One step: this thread's share of every kernel, in order. Calls that go together share out samples, and go through a few of them at a
# time; a call of its own is one for which a sample is a trip, and all of them are done at once. Where there is enough to do, samples are
# claimed as threads come to them (claims.py), here or inside of a call, or shared by how fast these were (paces.py), and where it goes
# through them several times taken over from others (helping.py). Arrays that nobody
# sees but the calls of one run lie in the thread's own memory, where a few samples after the other take the same place. What later calls
# and the next few samples will use is told to the calls, which ask for it (errands.py). Returns the barrier count to go on with.
STEP = f"""
define i64 @kc_step(ptr %frame, i64 %thread, i64 %threads, i64 %target0) {{
entry:
{fields("frame", shared=(FRAME_SHARED, "ptr"), calls=(FRAME_CALLS, "ptr"))}
{fields("calls", count=(STEPS_COUNT, "i64"), private_bytes=(STEPS_PRIVATE, "i64"), help_begin=(STEPS_BEGIN, "ptr"),
         help_pass=(STEPS_PASS, "ptr"), help_more=(STEPS_MORE, "ptr"))}
  %table = getelementptr i64, ptr %calls, i64 {STEPS_HEAD}
  %claims.place = getelementptr i64, ptr %shared, i64 {SHARED_CLAIMS}
  %claims = load ptr, ptr %claims.place
  %several = icmp ne i64 %threads, 1
  %private = alloca i8, i64 %private_bytes, align 64
  %own.room = alloca [{WORDS_BEFORE + MOST_ARGS} x i64], align 64
  %own.args = getelementptr i64, ptr %own.room, i64 {WORDS_BEFORE}
  %errands = alloca [{ERRAND_WORDS} x i64], align 64
  %own.errands = getelementptr i64, ptr %own.args, i64 -{ERRAND_BEFORE}
  store ptr %errands, ptr %own.errands
  %own.claims = getelementptr i64, ptr %own.args, i64 -{CLAIMS_BEFORE}
  store ptr null, ptr %own.claims
  %more.words = alloca [{MORE_WORDS} x i64], align 64
{stored("more.words", _MORE)}
  %own.offset = mul i64 %thread, {CLAIM_WORDS}
  %own.words = getelementptr i64, ptr %claims, i64 %own.offset
  %passes = alloca [{PASS_WORDS} x i64], align 64
{stored("passes", ((PASS_FUNCTION, "ptr %help_pass"), (PASS_WAIT, "ptr @kc.wait"), (PASS_WAKE, "ptr @kc.wake.sleepers"),
                   (PASS_PACE, "ptr @kc.pace"), (PASS_NOW, "ptr @kc.now")))}
  %measured = alloca i64
  %measured.began = alloca i64
  %errands.end = getelementptr i64, ptr %errands, i64 {ERRAND_END}
  br label %next
next:
  %n = phi i64 [ 0, %entry ], [ %following, %done ]
  %target = phi i64 [ %target0, %entry ], [ %target2, %done ]
  %more = icmp ult i64 %n, %count
  br i1 %more, label %call, label %out
call:
  %offset = mul i64 %n, {STEP_WORDS}
  %entry.call = getelementptr i64, ptr %table, i64 %offset
{fields("entry.call", trips_word=(STEP_TRIPS, "i64"), meets=(STEP_MEETS, "i64"), together=(STEP_TOGETHER, "i64"),
         few=(STEP_SAMPLES, "i64"), unit=(STEP_UNIT, "i64"), asked=(STEP_ASKED, "i64"), piece=(STEP_PIECE, "i64"), cost=(STEP_COST, "i64"),
         inside=(STEP_INSIDE, "i64"))}
  store i64 0, ptr %errands
  store i64 0, ptr %errands.end
  %following = add i64 %n, %together
  %met = icmp ne i64 %meets, 0
  br i1 %met, label %meet, label %share
meet:
  br i1 %several, label %publish, label %arrive
publish:
  call void @kc.publish(ptr %claims, i64 %thread, i64 %threads, i64 %target)
  br label %arrive
arrive:
  %target1 = call i64 @kc.meet(ptr %shared, i64 %threads, i64 %target)
  br label %share
share:
  %target2 = phi i64 [ %target, %call ], [ %target1, %arrive ]
  %trips.place = getelementptr i64, ptr %frame, i64 %trips_word
  %trips = load i64, ptr %trips.place
  %plain = icmp eq i64 %unit, 1
  br i1 %plain, label %cut, label %divide
divide:
  %whole = udiv i64 %trips, %unit
  br label %cut
cut:
  %samples = phi i64 [ %trips, %share ], [ %whole, %divide ]
{share("first", "end", "samples")}
  %pieces = mul i64 %piece, %threads
  %worth = shl i64 %pieces, 1
  %much = icmp uge i64 %samples, %worth
  %little = icmp ult i64 %samples, {MOST_CLAIMED}
  %divisible = icmp ne i64 %piece, 0
  %claimed.1 = and i1 %several, %divisible
  %claimed.2 = and i1 %claimed.1, %much
  %claimed = and i1 %claimed.2, %little
  %all.work = mul i64 %samples, %cost
  %least.work = mul i64 %threads, {WORTH_PACING}
  %long = icmp uge i64 %all.work, %least.work
  %timed = and i1 %several, %long
  %itself = icmp eq i64 %inside, {CLAIMS}
  %given = and i1 %claimed, %itself
  %passing = icmp eq i64 %inside, {EACH_PASS}
  %few.trips = icmp ult i64 %samples, {MOST_HELPED}
  %helped.1 = and i1 %timed, %passing
  %helped = and i1 %helped.1, %few.trips
  br i1 %claimed, label %claims.how, label %alone
claims.how:
  br i1 %itself, label %give, label %few.claim
give:
{stored("more.words", ((MORE_COUNT, "i64 %samples"), (MORE_PIECE, "i64 %piece"), (MORE_MOST, "i64 %few")))}
  store ptr %more.words, ptr %own.claims
  br label %few.call
alone:
  br i1 %timed, label %pace, label %few.more
pace:
  %pair = call i64 @kc.cut(ptr %claims, i64 %thread, i64 %threads, i64 %target2, i64 %samples, i64 0)
  %pace.first = and i64 %pair, 4294967295
  %pace.end = lshr i64 %pair, 32
  %pace.trips = sub i64 %pace.end, %pace.first
  store i64 %pace.trips, ptr %measured
  %pace.began = call i64 @kc.now()
  store i64 %pace.began, ptr %measured.began
  br i1 %helped, label %help, label %few.more
help:
  call void %help_begin(ptr %passes, ptr %own.words, ptr %private, i64 %thread, i64 %pace.first, i64 %pace.end, i64 %pace.began)
  store ptr %passes, ptr %own.claims
  br label %few.call
few.claim:
  %got = call i64 @kc.claim(ptr %claims, i64 %thread, i64 %threads, i64 %target2, i64 %samples, i64 %piece, i64 %few)
  %got.at = and i64 %got, 4294967295
  %got.to = lshr i64 %got, 32
  %got.any = icmp ne i64 %got, 0
  br i1 %got.any, label %few.call, label %done
few.more:
  %own.at = phi i64 [ %first, %alone ], [ %pace.first, %pace ], [ %to, %go.on ]
  %own.end = phi i64 [ %end, %alone ], [ %pace.end, %pace ], [ %kept.end, %go.on ]
  %any = icmp ult i64 %own.at, %own.end
  %left = sub i64 %own.end, %own.at
  %most = call i64 @llvm.umin.i64(i64 %left, i64 %few)
  %own.to = add i64 %own.at, %most
  br i1 %any, label %few.call, label %own.done
own.done:
  br i1 %timed, label %measure, label %done
measure:
  %measure.trips = load i64, ptr %measured
  %measure.began = load i64, ptr %measured.began
  call void @kc.pace(ptr %claims, i64 %thread, i64 %measure.trips, i64 %cost, i64 %measure.began)
  br label %done
few.call:
  %at = phi i64 [ %own.at, %few.more ], [ %got.at, %few.claim ], [ 0, %give ], [ 0, %help ]
  %to = phi i64 [ %own.to, %few.more ], [ %got.to, %few.claim ], [ %samples, %give ], [ %samples, %help ]
  %kept.end = phi i64 [ %own.end, %few.more ], [ %end, %few.claim ], [ %end, %give ], [ %end, %help ]
  %last = call i64 @llvm.umax.i64(i64 %kept.end, i64 %to)
  %asking = icmp ne i64 %asked, 0
  br i1 %asking, label %ask, label %work
ask:
  %asked.list = getelementptr i64, ptr %calls, i64 %asked
  call void @kc.errands(ptr %errands, ptr %frame, ptr %asked.list, i64 %at, i64 %to, i64 %last, i64 %few)
  br label %work
work:
  %m = phi i64 [ %n, %few.call ], [ %n, %ask ], [ %n, %help.more ], [ %m.next, %go ]
  %m.offset = mul i64 %m, {STEP_WORDS}
  %m.call = getelementptr i64, ptr %table, i64 %m.offset
{fields("m.call", kernel=(STEP_KERNEL, "ptr"), dims_word=(STEP_DIMS, "i64"), args_word=(STEP_ARGS, "i64"), own=(STEP_UNIT, "i64"),
         told=(STEP_PRIVATE, "i64"))}
  %lo = mul i64 %at, %own
  %hi = mul i64 %to, %own
  %dims = getelementptr i64, ptr %frame, i64 %dims_word
  %args = getelementptr i64, ptr %frame, i64 %args_word
  %all.shared = icmp eq i64 %told, 0
  br i1 %all.shared, label %go, label %privately
privately:
  %list = getelementptr i64, ptr %calls, i64 %told
  call void @kc.privately(ptr %own.args, ptr %args, ptr %list, ptr %private, i64 %at)
  br label %go
go:
  %handed = phi ptr [ %args, %work ], [ %own.args, %privately ]
  call void %kernel(ptr %handed, ptr %dims, i64 %lo, i64 %hi)
  %m.next = add i64 %m, 1
  %again = icmp ult i64 %m.next, %following
  br i1 %again, label %work, label %few.done
few.done:
  br i1 %given, label %take.back, label %no.claims
no.claims:
  br i1 %helped, label %help.more, label %go.on
help.more:
  %others = call i1 %help_more(ptr %passes, ptr %claims, ptr %shared, i64 %thread, i64 %threads, i64 %samples, i64 %cost)
  br i1 %others, label %work, label %take.back
take.back:
  store ptr null, ptr %own.claims
  br label %done
go.on:
  br i1 %claimed, label %few.claim, label %few.more
done:
  br label %next
out:
  ret i64 %target
}}
define internal void @kc.privately(ptr %own, ptr %args, ptr %list, ptr %private, i64 %at) {{
entry:
{fields("list", count=(PRIVATE_ARGS, "i64"), privates=(PRIVATE_COUNT, "i64"))}
  br label %copy
copy:
  %n = phi i64 [ 0, %entry ], [ %n.next, %copy ]
  %from = getelementptr i64, ptr %args, i64 %n
  %arg = load i64, ptr %from
  %to = getelementptr i64, ptr %own, i64 %n
  store i64 %arg, ptr %to
  %n.next = add i64 %n, 1
  %more = icmp ult i64 %n.next, %count
  br i1 %more, label %copy, label %copied
copied:
  %any = icmp ne i64 %privates, 0
  br i1 %any, label %place, label %out
place:
  %m = phi i64 [ 0, %copied ], [ %m.next, %place ]
  %offset.words = mul i64 %m, {PRIVATE_WORDS}
  %offset = add i64 %offset.words, {PRIVATE_HEAD}
  %one = getelementptr i64, ptr %list, i64 %offset
{fields("one", number=(PRIVATE_ARG, "i64"), bytes=(PRIVATE_BYTES, "i64"), begin=(PRIVATE_PLACE, "i64"))}
  %before = mul i64 %at, %bytes
  %back = sub i64 %begin, %before
  %address = getelementptr i8, ptr %private, i64 %back
  %slot = getelementptr i64, ptr %own, i64 %number
  store ptr %address, ptr %slot
  %m.next = add i64 %m, 1
  %others = icmp ult i64 %m.next, %privates
  br i1 %others, label %place, label %out
out:
  ret void
}}
"""
