"""How threads share the trips of a call where one may be slower than another, as LLVM text.

A thread has a share of its own and claims it piece by piece, half of what is left at a time; one that has nothing left claims from the
end of another's share, half of what is left there. So nobody waits for a core that is disturbed, for longer than a piece takes, while a
core that is not keeps what its caches hold. The bits do not depend on it: no trip's result depends on who makes it, or when.

A thread's words, on lines of their own: its share, and the number of the share-out that the thread is at. A share is one word that is
exchanged whole: the number of its share-out, the first trip that nobody has claimed, and the one behind the last. Whoever comes first
lays out the next share, its thread or another; that may be when nothing is left of the one before. So nothing is cleared between calls,
and there is no barrier: a thread that finds the number of a later share-out knows that its own has been claimed by others. The last piece
of a share, a 32nd of it, is left to its owner, who comes to it soon: else undisturbed cores, too, would take each other's, out of the
other's cache. Of a few long trips nobody leaves one: whose last one has not begun when another thread is done is late by more than one.

A call that packs an operand before its trips would do so for every piece. So it claims pieces itself when it comes to its trips, by what
the words before its arguments lead to (see emit/claims.py).

Shares are equal, but where they have few trips as large as paces.py cuts them: a piece is too coarse there to end sooner by much, and what
a thread reads, such as panels of a weight, is then what it updates in a call whose shares follow from paces.
"""

from __future__ import annotations

from .layout import (
    CLAIM_NUMBER,
    CLAIM_WORDS,
    HELP,
    HELP_BEGUN,
    HELP_LENT,
    HELP_NUMBER,
    HELP_RETURNED,
    MORE_CLAIMS,
    MORE_COUNT,
    MORE_MOST,
    MORE_PIECE,
    MORE_THREAD,
    MORE_THREADS,
    PACE,
    PACE_TOLD,
    fields,
    stored,
)
from .shares import share

CLAIM_BITS = 20  # of a trip; as many as are left count share-outs, of which two threads are never half of all apart
MOST_CLAIMED = 1 << CLAIM_BITS  # trips: more are shared out beforehand
PARTS = 32  # of a share, for the least that is claimed of it
MOST_ASKED_THREADS = 16  # threads that one without work looks at

_TRIP = MOST_CLAIMED - 1
_NUMBER = (1 << 64 - 2 * CLAIM_BITS) - 1

# Returns the first trip of what is claimed and, 32 bits higher, the one behind the last; 0 where nothing is left, and then the thread
# is at the next share-out. `piece`: the least to be claimed, `most`: the most; of every thread's share there is some (count >= threads).
# `target`: of barriers, which say where paces are told; below 0 shares are equal.
CLAIM = f"""
define internal i64 @kc.claim(ptr %claims, i64 %thread, i64 %threads, i64 %target, i64 %count, i64 %piece, i64 %most) {{
entry:
  %own.words = mul i64 %thread, {CLAIM_WORDS}
  %own = getelementptr i64, ptr %claims, i64 %own.words
  %number.place = getelementptr i64, ptr %own, i64 {CLAIM_NUMBER}
  %number = load i64, ptr %number.place
  %number.up = sub i64 %number, 1
  %before = and i64 %number.up, {_NUMBER}
  %tag = shl i64 %number, {2 * CLAIM_BITS}
  %asked = call i64 @llvm.umin.i64(i64 %threads, i64 {MOST_ASKED_THREADS})
  %share = udiv i64 %count, %threads
  %part = udiv i64 %share, {PARTS}
  %smallest = call i64 @llvm.umax.i64(i64 %part, i64 %piece)
  br label %one
one:
  %k = phi i64 [ 0, %entry ], [ %k.next, %nothing ]
  %v.sum = add i64 %thread, %k
  %v.over = icmp uge i64 %v.sum, %threads
  %v.back = sub i64 %v.sum, %threads
  %v = select i1 %v.over, i64 %v.back, i64 %v.sum
  %words = mul i64 %v, {CLAIM_WORDS}
  %place = getelementptr i64, ptr %claims, i64 %words
  br label %look
look:
  %seen = load atomic i64, ptr %place monotonic, align 8
  %theirs = lshr i64 %seen, {2 * CLAIM_BITS}
  %lo.up = lshr i64 %seen, {CLAIM_BITS}
  %lo = and i64 %lo.up, {_TRIP}
  %hi = and i64 %seen, {_TRIP}
  %some = icmp ult i64 %lo, %hi
  %now = icmp eq i64 %theirs, %number
  br i1 %now, label %current, label %other
current:
  %there = sub i64 %hi, %lo
  %tempting = icmp ugt i64 %there, %part
  %own.share = icmp eq i64 %k, 0
  %allowed = or i1 %tempting, %own.share
  %taken = and i1 %some, %allowed
  br i1 %taken, label %take, label %nothing
other:
  %last = icmp eq i64 %theirs, %before
  %used = xor i1 %some, true
  %due = and i1 %last, %used
  br i1 %due, label %lay, label %nothing
lay:
  %coarse = icmp eq i64 %part, 0
  %met = icmp sge i64 %target, 0
  %by.paces = and i1 %coarse, %met
  br i1 %by.paces, label %paced, label %equal
paced:
  %pair = call i64 @kc.cut(ptr %claims, i64 %v, i64 %threads, i64 %target, i64 %count, i64 1)
  %paced.first = and i64 %pair, 4294967295
  %paced.end = lshr i64 %pair, 32
  br label %laid
equal:
{share("equal.first", "equal.end", "count", "v")}
  br label %laid
laid:
  %first = phi i64 [ %paced.first, %paced ], [ %equal.first, %equal ]
  %end = phi i64 [ %paced.end, %paced ], [ %equal.end, %equal ]
  br label %take
take:
  %from = phi i64 [ %lo, %current ], [ %first, %laid ]
  %until = phi i64 [ %hi, %current ], [ %end, %laid ]
  %left = sub i64 %until, %from
  %left.up = add i64 %left, 1
  %half = lshr i64 %left.up, 1
  %worth = icmp uge i64 %half, %smallest
  %size.wanted = select i1 %worth, i64 %half, i64 %left
  %size = call i64 @llvm.umin.i64(i64 %size.wanted, i64 %most)
  %mine = icmp eq i64 %k, 0
  %front = add i64 %from, %size
  %back = sub i64 %until, %size
  %new.lo = select i1 %mine, i64 %front, i64 %from
  %new.hi = select i1 %mine, i64 %until, i64 %back
  %new.lo.up = shl i64 %new.lo, {CLAIM_BITS}
  %new.trips = or i64 %new.lo.up, %new.hi
  %new = or i64 %new.trips, %tag
  %exchange = cmpxchg ptr %place, i64 %seen, i64 %new seq_cst seq_cst
  %done = extractvalue {{ i64, i1 }} %exchange, 1
  br i1 %done, label %claimed, label %look
claimed:
  %at = select i1 %mine, i64 %from, i64 %back
  %to = select i1 %mine, i64 %front, i64 %until
  %to.up = shl i64 %to, 32
  %answer = or i64 %to.up, %at
  ret i64 %answer
nothing:
  %k.next = add i64 %k, 1
  %others = icmp ult i64 %k.next, %asked
  br i1 %others, label %one, label %out
out:
  %following = add i64 %number, 1
  %wrapped = and i64 %following, {_NUMBER}
  store i64 %wrapped, ptr %number.place
  ret i64 0
}}
define internal i64 @kc.claim.more(ptr %told) {{
entry:
{fields("told", claims=(MORE_CLAIMS, "ptr"), thread=(MORE_THREAD, "i64"), threads=(MORE_THREADS, "i64"), count=(MORE_COUNT, "i64"),
         piece=(MORE_PIECE, "i64"), most=(MORE_MOST, "i64"))}
  %got = call i64 @kc.claim(ptr %claims, i64 %thread, i64 %threads, i64 -1, i64 %count, i64 %piece, i64 %most)
  ret i64 %got
}}
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)
"""

# Before a call with workers: every thread is at the first share-out, and has told the pace that it had; nobody helps anybody.
BEGIN = f"""
define internal void @kc.begin(ptr %claims, i64 %threads) {{
entry:
  br label %one
one:
  %n = phi i64 [ 0, %entry ], [ %n.next, %one ]
  %words = mul i64 %n, {CLAIM_WORDS}
  %own = getelementptr i64, ptr %claims, i64 %words
  store atomic i64 0, ptr %own monotonic, align 8
  %number = getelementptr i64, ptr %own, i64 {CLAIM_NUMBER}
  store i64 1, ptr %number
{stored("own", tuple([(word, "i64 0") for word in (HELP, HELP_BEGUN, HELP_RETURNED, HELP_LENT, HELP_NUMBER)]))}
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
"""
