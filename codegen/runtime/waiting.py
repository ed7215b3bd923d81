"""How threads wait for one another: barriers, and the caller for its workers. LLVM text.

Threads of one call meet by counting arrivals in one word that only grows during the call. Who waits for a word to grow pauses, then
yields, and sleeps where a yield gave the processor to another process: on a busy machine who yields loses its share of the time, who
sleeps keeps it. So after one such yield the next waits of this call sleep at once. Pauses are wasted where the system has put both
threads on one processor, which it may do for seconds: then soon there are few.
"""

from __future__ import annotations

# shared: what the threads of one call share; arrivals and the rest lie on separate cache lines
SHARED_ARRIVED, SHARED_SPIN, SHARED_MOST_SPIN, SHARED_LOADED, SHARED_CLAIMS, SHARED_WORDS = 0, 16, 17, 18, 19, 32
SLEEPERS = 1  # after a word that is waited for: how many sleep until it grows
SPIN = 400  # pauses before the first yield, at most: about 10 us
LEAST_SPIN = 16  # and at least: half as many after every wait for which they were not enough, all again after one for which they were
SLOW_YIELD = 100_000  # nanoseconds: somebody else ran meanwhile
LOADED_WAITS = 256  # waits that sleep at once after a slow yield

YIELD = f"""
define internal i1 @kc.yield.slow() {{
  %before = call i64 @kc.now()
  call void @kc.yield()
  %after = call i64 @kc.now()
  %took = sub i64 %after, %before
  %slow = icmp ugt i64 %took, {SLOW_YIELD}
  ret i1 %slow
}}
"""

WAIT = f"""
define internal void @kc.wait(ptr %word, i64 %wanted, ptr %shared) {{
entry:
  %spin.place = getelementptr i64, ptr %shared, i64 {SHARED_SPIN}
  %spin = load atomic i64, ptr %spin.place monotonic, align 8
  br label %look
look:
  %tries = phi i64 [ 0, %entry ], [ %more, %pause ]
  %seen = load atomic i64, ptr %word acquire, align 8
  %reached = icmp uge i64 %seen, %wanted
  br i1 %reached, label %enough, label %again
again:
  %patient = icmp ult i64 %tries, %spin
  br i1 %patient, label %pause, label %tired
pause:
  call void @kc.pause()
  %more = add i64 %tries, 1
  br label %look
enough:
  %most.place = getelementptr i64, ptr %shared, i64 {SHARED_MOST_SPIN}
  %most = load i64, ptr %most.place
  %less = icmp ult i64 %spin, %most
  br i1 %less, label %restore, label %done
restore:
  store atomic i64 %most, ptr %spin.place monotonic, align 8
  ret void
tired:
  %half = lshr i64 %spin, 1
  %lower = icmp uge i64 %half, {LEAST_SPIN}
  br i1 %lower, label %lessen, label %check
lessen:
  store atomic i64 %half, ptr %spin.place monotonic, align 8
  br label %check
check:
  %now = load atomic i64, ptr %word acquire, align 8
  %there = icmp uge i64 %now, %wanted
  br i1 %there, label %done, label %choose
choose:
  %loaded = getelementptr i64, ptr %shared, i64 {SHARED_LOADED}
  %busy = load atomic i64, ptr %loaded monotonic, align 8
  %doze = icmp ne i64 %busy, 0
  br i1 %doze, label %down, label %yield
yield:
  %long = call i1 @kc.yield.slow()
  br i1 %long, label %slow, label %check
slow:
  store atomic i64 {LOADED_WAITS}, ptr %loaded monotonic, align 8
  br label %check
down:
  %fewer = sub i64 %busy, 1
  store atomic i64 %fewer, ptr %loaded monotonic, align 8
  %sleepers = getelementptr i64, ptr %word, i64 {SLEEPERS}
  %ignored = atomicrmw add ptr %sleepers, i64 1 seq_cst
  %still = load atomic i64, ptr %word seq_cst, align 8
  %late = icmp uge i64 %still, %wanted
  br i1 %late, label %up, label %sleep
sleep:
  %low = trunc i64 %still to i32
  call void @kc.sleep(ptr %word, i32 %low)
  br label %up
up:
  %ignored2 = atomicrmw sub ptr %sleepers, i64 1 seq_cst
  br label %check
done:
  ret void
}}
define internal void @kc.wake.sleepers(ptr %word) {{
entry:
  %sleepers = getelementptr i64, ptr %word, i64 {SLEEPERS}
  %count = load atomic i64, ptr %sleepers seq_cst, align 8
  %any = icmp ne i64 %count, 0
  br i1 %any, label %wake, label %done
wake:
  call void @kc.wake(ptr %word)
  br label %done
done:
  ret void
}}
"""

# Meeting the other threads
BARRIER = YIELD + WAIT + """
define internal i64 @kc.meet(ptr %shared, i64 %threads, i64 %target) {
entry:
  %alone = icmp eq i64 %threads, 1
  br i1 %alone, label %done, label %arrive
arrive:
  %next = add i64 %target, %threads
  %before = atomicrmw add ptr %shared, i64 1 seq_cst
  %count = add i64 %before, 1
  %last = icmp uge i64 %count, %next
  br i1 %last, label %wake, label %wait
wake:
  call void @kc.wake.sleepers(ptr %shared)
  br label %done
wait:
  call void @kc.wait(ptr %shared, i64 %next, ptr %shared)
  br label %done
done:
  %result = phi i64 [ %target, %entry ], [ %next, %wake ], [ %next, %wait ]
  ret i64 %result
}
"""
