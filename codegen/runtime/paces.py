"""How threads share the trips of a call that is not claimed piece by piece, as LLVM text: by how fast they were.

A call that packs a weight before its trips, or whose sums wait in a thread's own memory from block to block, is shared out beforehand.
Where a core is disturbed, which lasts for a while, equal shares leave the other waiting. So each thread measures what it does of these,
and shares follow from that: equal ones as long as nobody is much faster than the others. The bits do not depend on it.

All threads must cut alike. So each tells its pace before it comes to a barrier, in one of two words that take turns, and behind the barrier
all read these: the other word is written before the next one.
"""

from __future__ import annotations

from .layout import CLAIM_WORDS

WORTH_PACING = 100_000  # instructions of each thread: less is over before it matters, and says little
MOST_PACED = 16  # threads
PACE, PACE_TOLD = 2, 4  # words of a thread, beside those of claims.py: its own, and the two that others read
DIFFERENT = 16  # paces differ where the least is below the greatest by more than one in so many parts, twice
SCALE = 10  # binary digits of a pace (instructions a nanosecond) behind the point
SLOWNESS = 3  # what a measurement changes of a pace: one in 2 ** so many parts

PACES = f"""
define internal void @kc.paces.begin(ptr %claims, i64 %threads) {{
entry:
  br label %one
one:
  %n = phi i64 [ 0, %entry ], [ %n.next, %one ]
  %words = mul i64 %n, {CLAIM_WORDS}
  %own = getelementptr i64, ptr %claims, i64 %words
  %place = getelementptr i64, ptr %own, i64 {PACE}
  %pace = load i64, ptr %place
  %even = getelementptr i64, ptr %own, i64 {PACE_TOLD}
  %odd = getelementptr i64, ptr %own, i64 {PACE_TOLD + 1}
  store atomic i64 %pace, ptr %even monotonic, align 8
  store atomic i64 %pace, ptr %odd monotonic, align 8
  %n.next = add i64 %n, 1
  %more = icmp ult i64 %n.next, %threads
  br i1 %more, label %one, label %done
done:
  ret void
}}
define internal void @kc.publish(ptr %claims, i64 %thread, i64 %threads, i64 %target) {{
entry:
  %words = mul i64 %thread, {CLAIM_WORDS}
  %own = getelementptr i64, ptr %claims, i64 %words
  %place = getelementptr i64, ptr %own, i64 {PACE}
  %pace = load i64, ptr %place
  %met = udiv i64 %target, %threads
  %next = add i64 %met, 1
  %parity = and i64 %next, 1
  %word = add i64 %parity, {PACE_TOLD}
  %told = getelementptr i64, ptr %own, i64 %word
  store atomic i64 %pace, ptr %told monotonic, align 8
  ret void
}}
define internal i64 @kc.cut(ptr %claims, i64 %thread, i64 %threads, i64 %target, i64 %count) {{
entry:
  %met = udiv i64 %target, %threads
  %parity = and i64 %met, 1
  %word = add i64 %parity, {PACE_TOLD}
  %few = icmp ule i64 %threads, {MOST_PACED}
  %small = icmp ult i64 %count, {1 << 31}
  %can = and i1 %few, %small
  br i1 %can, label %one, label %equal
one:
  %n = phi i64 [ 0, %entry ], [ %n.next, %one ]
  %sum = phi i64 [ 0, %entry ], [ %sum.next, %one ]
  %before = phi i64 [ 0, %entry ], [ %before.next, %one ]
  %mine = phi i64 [ 0, %entry ], [ %mine.next, %one ]
  %least = phi i64 [ {1 << 40}, %entry ], [ %least.next, %one ]
  %most = phi i64 [ 0, %entry ], [ %most.next, %one ]
  %words = mul i64 %n, {CLAIM_WORDS}
  %offset = add i64 %words, %word
  %place = getelementptr i64, ptr %claims, i64 %offset
  %pace = load atomic i64, ptr %place monotonic, align 8
  %sum.next = add i64 %sum, %pace
  %is.before = icmp ult i64 %n, %thread
  %added = select i1 %is.before, i64 %pace, i64 0
  %before.next = add i64 %before, %added
  %is.mine = icmp eq i64 %n, %thread
  %mine.next = select i1 %is.mine, i64 %pace, i64 %mine
  %least.next = call i64 @llvm.umin.i64(i64 %least, i64 %pace)
  %most.next = call i64 @llvm.umax.i64(i64 %most, i64 %pace)
  %n.next = add i64 %n, 1
  %more = icmp ult i64 %n.next, %threads
  br i1 %more, label %one, label %judge
judge:
  %known = icmp ne i64 %least.next, 0
  %margin.half = udiv i64 %most.next, {DIFFERENT}
  %margin = shl i64 %margin.half, 1
  %bound = sub i64 %most.next, %margin
  %apart = icmp ult i64 %least.next, %bound
  %use = and i1 %known, %apart
  br i1 %use, label %weigh, label %equal
weigh:
  %half = lshr i64 %sum.next, 1
  %first.product = mul i64 %count, %before.next
  %first.up = add i64 %first.product, %half
  %first.weighed = udiv i64 %first.up, %sum.next
  %until = add i64 %before.next, %mine.next
  %end.product = mul i64 %count, %until
  %end.up = add i64 %end.product, %half
  %end.weighed = udiv i64 %end.up, %sum.next
  br label %out
equal:
  %rest = sub i64 %threads, 1
  %scaled = mul i64 %count, %thread
  %scaled.up = add i64 %scaled, %rest
  %first.equal = udiv i64 %scaled.up, %threads
  %scaled.next = add i64 %scaled.up, %count
  %end.equal = udiv i64 %scaled.next, %threads
  br label %out
out:
  %first = phi i64 [ %first.weighed, %weigh ], [ %first.equal, %equal ]
  %end = phi i64 [ %end.weighed, %weigh ], [ %end.equal, %equal ]
  %end.high = shl i64 %end, 32
  %pair = or i64 %end.high, %first
  ret i64 %pair
}}
define internal void @kc.pace(ptr %claims, i64 %thread, i64 %trips, i64 %cost, i64 %began) {{
entry:
  %any = icmp ne i64 %trips, 0
  br i1 %any, label %measure, label %out
measure:
  %words = mul i64 %thread, {CLAIM_WORDS}
  %offset = add i64 %words, {PACE}
  %place = getelementptr i64, ptr %claims, i64 %offset
  %now = call i64 @kc.now()
  %took = sub i64 %now, %began
  %some = call i64 @llvm.umax.i64(i64 %took, i64 1)
  %work = mul i64 %trips, %cost
  %scaled = shl i64 %work, {SCALE}
  %found.0 = udiv i64 %scaled, %some
  %found = call i64 @llvm.umax.i64(i64 %found.0, i64 1)
  %old = load i64, ptr %place
  %fresh = icmp eq i64 %old, 0
  %below = lshr i64 %old, 1
  %above = shl i64 %old, 1
  %not.below = call i64 @llvm.umax.i64(i64 %found, i64 %below)
  %within = call i64 @llvm.umin.i64(i64 %not.below, i64 %above)
  %others = mul i64 %old, {(1 << SLOWNESS) - 1}
  %both = add i64 %others, %within
  %mixed = lshr i64 %both, {SLOWNESS}
  %new.0 = select i1 %fresh, i64 %found, i64 %mixed
  %new = call i64 @llvm.umax.i64(i64 %new.0, i64 1)
  store i64 %new, ptr %place
  br label %out
out:
  ret void
}}
"""
