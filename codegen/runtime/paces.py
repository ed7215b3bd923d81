"""How threads share the trips of a call that is not claimed piece by piece, as LLVM text: by how fast they were.

A call whose sums wait in a thread's own memory from block to block is shared out beforehand.
Where a core is disturbed, which lasts for a while, equal shares leave the other waiting. So each thread measures what it does of these,
and shares follow from that: equal ones as long as nobody is much faster than the others, and where the last thread would not be done
sooner by others: of few trips whole ones are a coarse measure. A thread that is left without any measures nothing, so its pace goes
towards the greatest until it gets one again: it was slow for a while. The bits do not depend on it.

All threads must cut alike. So each tells its pace before it comes to a barrier, in one of two words that take turns, and behind the barrier
all read these: the other word is written before the next one.
"""

from __future__ import annotations

from .layout import CLAIM_WORDS, PACE, PACE_TOLD
from .shares import share

WORTH_PACING = 100_000  # instructions of each thread: less is over before it matters, and says little
MOST_PACED = 16  # threads
DIFFERENT = 16  # paces differ where the least is below the greatest by more than one in so many parts, twice
SCALE = 10  # binary digits of a pace (instructions a nanosecond) behind the point
SLOWNESS = 3  # what a measurement changes of a pace: one in 2 ** so many parts
FRACTION = 30  # binary digits behind the point of what trips take at a pace

PACES = f"""
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
define internal i64 @kc.cut(ptr %claims, i64 %thread, i64 %threads, i64 %target, i64 %count, i64 %least.trips) {{
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
  %least = phi i64 [ {1 << 40}, %entry ], [ %least.next, %one ]
  %most = phi i64 [ 0, %entry ], [ %most.next, %one ]
  %words = mul i64 %n, {CLAIM_WORDS}
  %offset = add i64 %words, %word
  %place = getelementptr i64, ptr %claims, i64 %offset
  %pace = load atomic i64, ptr %place monotonic, align 8
  %sum.next = add i64 %sum, %pace
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
  %rest.weigh = sub i64 %threads, 1
  br label %each
each:
  %i = phi i64 [ 0, %weigh ], [ %i.next, %each ]
  %paced = phi i64 [ 0, %weigh ], [ %paced.next, %each ]
  %from.weighed = phi i64 [ 0, %weigh ], [ %to.weighed, %each ]
  %from.even = phi i64 [ 0, %weigh ], [ %to.even, %each ]
  %longest.weighed = phi i64 [ 0, %weigh ], [ %longest.weighed.next, %each ]
  %longest.even = phi i64 [ 0, %weigh ], [ %longest.even.next, %each ]
  %fewest = phi i64 [ %count, %weigh ], [ %fewest.next, %each ]
  %first.found = phi i64 [ 0, %weigh ], [ %first.found.next, %each ]
  %end.found = phi i64 [ 0, %weigh ], [ %end.found.next, %each ]
  %i.words = mul i64 %i, {CLAIM_WORDS}
  %i.offset = add i64 %i.words, %word
  %i.place = getelementptr i64, ptr %claims, i64 %i.offset
  %i.pace = load atomic i64, ptr %i.place monotonic, align 8
  %i.next = add i64 %i, 1
  %paced.next = add i64 %paced, %i.pace
  %product = mul i64 %count, %paced.next
  %product.up = add i64 %product, %half
  %to.weighed = udiv i64 %product.up, %sum.next
  %even = mul i64 %count, %i.next
  %even.up = add i64 %even, %rest.weigh
  %to.even = udiv i64 %even.up, %threads
  %trips.weighed = sub i64 %to.weighed, %from.weighed
  %trips.even = sub i64 %to.even, %from.even
  %fewest.next = call i64 @llvm.umin.i64(i64 %fewest, i64 %trips.weighed)
  %work.weighed = shl i64 %trips.weighed, {FRACTION}
  %work.even = shl i64 %trips.even, {FRACTION}
  %time.weighed = udiv i64 %work.weighed, %i.pace
  %time.even = udiv i64 %work.even, %i.pace
  %longest.weighed.next = call i64 @llvm.umax.i64(i64 %longest.weighed, i64 %time.weighed)
  %longest.even.next = call i64 @llvm.umax.i64(i64 %longest.even, i64 %time.even)
  %i.mine = icmp eq i64 %i, %thread
  %first.found.next = select i1 %i.mine, i64 %from.weighed, i64 %first.found
  %end.found.next = select i1 %i.mine, i64 %to.weighed, i64 %end.found
  %each.more = icmp ult i64 %i.next, %threads
  br i1 %each.more, label %each, label %compare
compare:
  %sooner = icmp ult i64 %longest.weighed.next, %longest.even.next
  %allowed = icmp uge i64 %fewest.next, %least.trips
  %weighed.better = and i1 %sooner, %allowed
  br i1 %weighed.better, label %weighed, label %equal
weighed:
  %nothing = icmp eq i64 %first.found.next, %end.found.next
  br i1 %nothing, label %forget, label %out
forget:
  %own.words = mul i64 %thread, {CLAIM_WORDS}
  %own.offset = add i64 %own.words, {PACE}
  %own.place = getelementptr i64, ptr %claims, i64 %own.offset
  %own.pace = load i64, ptr %own.place
  %at.most = call i64 @llvm.umax.i64(i64 %own.pace, i64 %most.next)
  %missing = sub i64 %at.most, %own.pace
  %step = lshr i64 %missing, {SLOWNESS}
  %nearer = add i64 %own.pace, %step
  store i64 %nearer, ptr %own.place
  br label %out
equal:
{share("first.equal", "end.equal", "count")}
  br label %out
out:
  %first = phi i64 [ %first.found.next, %weighed ], [ %first.found.next, %forget ], [ %first.equal, %equal ]
  %end = phi i64 [ %end.found.next, %weighed ], [ %end.found.next, %forget ], [ %end.equal, %equal ]
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
