"""How a thread that is done helps another with a call that goes through its trips several times, as LLVM text.

The tiles of a filter gradient go through a long sum block by block: a pass for each. A piece of the trips would read all blocks again.
So each thread goes through its share pass by pass, and asks for what is left of it before each. One that is done takes half of what
another has left, from the end, and goes on with that where the other has stopped: behind the pass that the other is at, for which it
waits. Sums stay where they are, in the memory of the thread that has begun them; so that one leaves the call when all that was taken of
it is done. Who has taken something can be helped in turn. The bits do not depend on it: each trip's passes are made one after the other.

A thread's word of what others help with: its trips, in whose memory they wait, how many passes it has begun, and the number of the call
in which that is so, so that nobody helps who is in another one. It is exchanged whole. Beside it the passes begun once more, behind the
number of the share that they are of, in a word that only grows: others wait for that.

It is a module of the steps that have such calls: every first step waits for the runtime, of which this would be a fifth.
"""

from __future__ import annotations

from .claims import MOST_ASKED_THREADS, PARTS
from .layout import (
    CLAIM_WORDS,
    HELP,
    HELP_BEGUN,
    HELP_LENT,
    HELP_NUMBER,
    HELP_RETURNED,
    HELP_SUMS,
    PASS_BEGAN,
    PASS_FIRST,
    PASS_NEXT,
    PASS_NOW,
    PASS_OWN,
    PASS_OWNER,
    PASS_PACE,
    PASS_SUMS,
    PASS_TRIPS,
    PASS_WAIT,
    PASS_WAKE,
    PASS_WORTH,
    fields,
    stored,
)

TRIP_BITS = 12  # of a word's trips, the first and the one behind the last
OWNER_BITS = 8  # of the thread in whose memory they wait
PASS_BITS = 18  # of the passes begun; of more than that nobody takes any
MOST_HELPED = 1 << TRIP_BITS  # trips: of more than these nobody takes any
WORTH_HELPING = 8_000  # nanoseconds that what is left takes: about twice what it costs to take some of it

_TRIP, _OWNER, _PASS = (1 << TRIP_BITS) - 1, (1 << OWNER_BITS) - 1, (1 << PASS_BITS) - 1
_OWNER_AT, _PASS_AT = 2 * TRIP_BITS, 2 * TRIP_BITS + OWNER_BITS
_NUMBER_AT = _PASS_AT + PASS_BITS
_NUMBER = (1 << 64 - _NUMBER_AT) - 1


def _words(name: str, thread: str, *words: tuple[str, int]) -> str:
    """Addresses of words of a thread's claims."""
    lines = [f"  %{name}.words = mul i64 {thread}, {CLAIM_WORDS}", f"  %{name} = getelementptr i64, ptr %claims, i64 %{name}.words"]
    return "\n".join([*lines, *(f"  %{word} = getelementptr i64, ptr %{name}, i64 {place}" for word, place in words)])


FUNCTIONS = ("kc_help_begin", "kc_help_pass", "kc_help_more")  # of which the call table tells, in this order

# kc_help_pass: what the kernel asks with (see emit/claims.py). kc_help_more: behind a thread's last pass; whether it has others to make.
# Who tries to take something and comes too late has it counted as taken and as given back: while one does, the other count says nothing.
HELPING = f"""
define internal void @kc.help.enter(ptr %told, ptr %own, i64 %number, i64 %passes, i64 %owner, i64 %first, i64 %end) {{
  %low.number = and i64 %number, {_NUMBER}
  %number.up = shl i64 %low.number, {_NUMBER_AT}
  %passes.up = shl i64 %passes, {_PASS_AT}
  %owner.up = shl i64 %owner, {_OWNER_AT}
  %first.up = shl i64 %first, {TRIP_BITS}
  %word.1 = or i64 %number.up, %passes.up
  %word.2 = or i64 %owner.up, %first.up
  %word.3 = or i64 %word.1, %word.2
  %word = or i64 %word.3, %end
{fields("told", wake=(PASS_WAKE, "ptr"))}
{fields("own", before=(HELP_BEGUN, "i64"))}
  %shares = or i64 %before, {_PASS}
  %following = add i64 %shares, 1
  %begun = or i64 %following, %passes
  store atomic i64 %begun, ptr %before.place seq_cst, align 8
  %place = getelementptr i64, ptr %own, i64 {HELP}
  store atomic i64 %word, ptr %place seq_cst, align 8
  call void %wake(ptr %before.place)
  ret void
}}
define void @kc_help_begin(ptr %told, ptr %own, ptr %private, i64 %thread, i64 %first, i64 %end, i64 %began) {{
{fields("own", number=(HELP_NUMBER, "i64"))}
  %next = add i64 %number, 1
{stored("own", ((HELP_NUMBER, "i64 %next"), (HELP_SUMS, "ptr %private")))}
{stored("told", ((PASS_OWN, "ptr %own"), (PASS_SUMS, "ptr %private"), (PASS_FIRST, "i64 0"), (PASS_NEXT, "i64 0"),
                 (PASS_OWNER, "i64 %thread"), (PASS_TRIPS, "i64 0"), (PASS_BEGAN, "i64 %began")))}
  call void @kc.help.enter(ptr %told, ptr %own, i64 %next, i64 0, i64 %thread, i64 %first, i64 %end)
  ret void
}}
define i64 @kc_help_pass(ptr %told) {{
entry:
{fields("told", own=(PASS_OWN, "ptr"), since=(PASS_FIRST, "i64"), upon=(PASS_NEXT, "i64"), made=(PASS_TRIPS, "i64"),
         wake=(PASS_WAKE, "ptr"))}
  %following = add i64 %upon, 1
  store i64 %following, ptr %upon.place
  %due = icmp uge i64 %upon, %since
  br i1 %due, label %begin, label %nothing
nothing:
  ret i64 0
begin:
  %passes = call i64 @llvm.umin.i64(i64 %following, i64 {_PASS})
  %passes.up = shl i64 %passes, {_PASS_AT}
  %place = getelementptr i64, ptr %own, i64 {HELP}
  br label %look
look:
  %seen = load atomic i64, ptr %place monotonic, align 8
  %rest = and i64 %seen, {~(_PASS << _PASS_AT)}
  %new = or i64 %rest, %passes.up
  %exchange = cmpxchg ptr %place, i64 %seen, i64 %new seq_cst seq_cst
  %done = extractvalue {{ i64, i1 }} %exchange, 1
  br i1 %done, label %tell, label %look
tell:
{fields("own", before=(HELP_BEGUN, "i64"))}
  %share = and i64 %before, {~_PASS}
  %begun = or i64 %share, %passes
  store atomic i64 %begun, ptr %before.place release, align 8
  call void %wake(ptr %before.place)
  %first.up = lshr i64 %seen, {TRIP_BITS}
  %first = and i64 %first.up, {_TRIP}
  %end = and i64 %seen, {_TRIP}
  %trips = sub i64 %end, %first
  %made.now = add i64 %made, %trips
  store i64 %made.now, ptr %made.place
  %end.up = shl i64 %end, 32
  %answer = or i64 %end.up, %first
  ret i64 %answer
}}
define internal void @kc.help.return(ptr %told, ptr %claims, i64 %thread) {{
{_words("own", "%thread", ("returned", HELP_RETURNED))}
  %before = atomicrmw add ptr %returned, i64 1 seq_cst
{fields("told", wake=(PASS_WAKE, "ptr"))}
  call void %wake(ptr %returned)
  ret void
}}
define i1 @kc_help_more(ptr %told, ptr %claims, ptr %shared, i64 %thread, i64 %threads, i64 %count, i64 %cost) {{
entry:
{fields("told", own=(PASS_OWN, "ptr"), all=(PASS_NEXT, "i64"), owner=(PASS_OWNER, "i64"), made=(PASS_TRIPS, "i64"),
         began=(PASS_BEGAN, "i64"), worth=(PASS_WORTH, "i64"), waits=(PASS_WAIT, "ptr"))}
{fields("own", number=(HELP_NUMBER, "i64"))}
  call void @kc.help.enter(ptr %told, ptr %own, i64 %number, i64 {_PASS}, i64 0, i64 0, i64 0)
  %passes = call i64 @llvm.umax.i64(i64 %all, i64 1)
  %own.share = icmp ne i64 %began, 0
  br i1 %own.share, label %measure, label %return
measure:
{fields("told", clock=(PASS_NOW, "ptr"), pace=(PASS_PACE, "ptr"))}
  %now = call i64 %clock()
  %took.0 = sub i64 %now, %began
  %took = call i64 @llvm.umax.i64(i64 %took.0, i64 1)
  %made.up = mul i64 %made, {WORTH_HELPING}
  %worth.found = udiv i64 %made.up, %took
  store i64 %worth.found, ptr %worth.place
  %cost.some = udiv i64 %cost, %passes
  %cost.pass = call i64 @llvm.umax.i64(i64 %cost.some, i64 1)
  call void %pace(ptr %claims, i64 %thread, i64 %made, i64 %cost.pass, i64 %began)
  store i64 0, ptr %began.place
  br label %judge
return:
  call void @kc.help.return(ptr %told, ptr %claims, i64 %owner)
  br label %judge
judge:
  %worth.now = load i64, ptr %worth.place
  %trips = mul i64 %count, %passes
  %parts = mul i64 %threads, {PARTS}
  %part = udiv i64 %trips, %parts
  %least = call i64 @llvm.umax.i64(i64 %part, i64 %worth.now)
  %low.number = and i64 %number, {_NUMBER}
  %asked = call i64 @llvm.umin.i64(i64 %threads, i64 {MOST_ASKED_THREADS})
  br label %search
search:
  br label %one
one:
  %k = phi i64 [ 1, %search ], [ %k.next, %one ]
  %most = phi i64 [ %least, %search ], [ %most.next, %one ]
  %chosen = phi i64 [ 0, %search ], [ %chosen.next, %one ]
  %at = phi ptr [ null, %search ], [ %at.next, %one ]
  %v.sum = add i64 %thread, %k
  %v.over = icmp uge i64 %v.sum, %threads
  %v.back = sub i64 %v.sum, %threads
  %v = select i1 %v.over, i64 %v.back, i64 %v.sum
{_words("theirs", "%v", ("place", HELP))}
  %seen = load atomic i64, ptr %place seq_cst, align 8
  %seen.number = lshr i64 %seen, {_NUMBER_AT}
  %here = icmp eq i64 %seen.number, %low.number
  %seen.up = lshr i64 %seen, {_PASS_AT}
  %seen.passes = and i64 %seen.up, {_PASS}
  %known = icmp ne i64 %seen.passes, {_PASS}
  %left.passes.0 = sub i64 %all, %seen.passes
  %left.passes = call i64 @llvm.smax.i64(i64 %left.passes.0, i64 0)
  %seen.first.up = lshr i64 %seen, {TRIP_BITS}
  %seen.first = and i64 %seen.first.up, {_TRIP}
  %seen.end = and i64 %seen, {_TRIP}
  %seen.trips = sub i64 %seen.end, %seen.first
  %several = icmp ugt i64 %seen.trips, 1
  %left = mul i64 %seen.trips, %left.passes
  %more = icmp ugt i64 %left, %most
  %good.1 = and i1 %here, %known
  %good.2 = and i1 %several, %more
  %good = and i1 %good.1, %good.2
  %most.next = select i1 %good, i64 %left, i64 %most
  %chosen.next = select i1 %good, i64 %seen, i64 %chosen
  %at.next = select i1 %good, ptr %theirs, ptr %at
  %k.next = add i64 %k, 1
  %others = icmp ult i64 %k.next, %asked
  br i1 %others, label %one, label %found
found:
  %nobody = icmp eq ptr %at.next, null
  br i1 %nobody, label %wait, label %take
take:
  %lender.up = lshr i64 %chosen.next, {_OWNER_AT}
  %lender = and i64 %lender.up, {_OWNER}
{_words("memory", "%lender", ("lent", HELP_LENT), ("sums.word", HELP_SUMS))}
  %ignored = atomicrmw add ptr %lent, i64 1 seq_cst
  %first.up = lshr i64 %chosen.next, {TRIP_BITS}
  %first = and i64 %first.up, {_TRIP}
  %end = and i64 %chosen.next, {_TRIP}
  %there = sub i64 %end, %first
  %there.up = add i64 %there, 1
  %size = lshr i64 %there.up, 1
  %from = sub i64 %end, %size
  %new = sub i64 %chosen.next, %size
  %begun.place = getelementptr i64, ptr %at.next, i64 {HELP_BEGUN}
  %begun = load atomic i64, ptr %begun.place seq_cst, align 8
  %help = getelementptr i64, ptr %at.next, i64 {HELP}
  %exchange = cmpxchg ptr %help, i64 %chosen.next, i64 %new seq_cst seq_cst
  %done = extractvalue {{ i64, i1 }} %exchange, 1
  br i1 %done, label %taken, label %missed
missed:
  call void @kc.help.return(ptr %told, ptr %claims, i64 %lender)
  br label %search
taken:
  %begun.up = lshr i64 %chosen.next, {_PASS_AT}
  %since = and i64 %begun.up, {_PASS}
  %sums = load ptr, ptr %sums.word
{stored("told", ((PASS_SUMS, "ptr %sums"), (PASS_FIRST, "i64 %since"), (PASS_NEXT, "i64 0"), (PASS_OWNER, "i64 %lender")))}
  call void @kc.help.enter(ptr %told, ptr %own, i64 %number, i64 %since, i64 %lender, i64 %from, i64 %end)
  %share = and i64 %begun, {~_PASS}
  %this.pass = or i64 %share, %since
  %behind = add i64 %this.pass, 1
  call void %waits(ptr %begun.place, i64 %behind, ptr %shared)
  ret i1 true
wait:
  %mine.place = getelementptr i64, ptr %own, i64 {HELP_LENT}
  %back = getelementptr i64, ptr %own, i64 {HELP_RETURNED}
  br label %again
again:
  %mine = load atomic i64, ptr %mine.place seq_cst, align 8
  call void %waits(ptr %back, i64 %mine, ptr %shared)
  %mine.now = load atomic i64, ptr %mine.place seq_cst, align 8
  %settled = icmp eq i64 %mine, %mine.now
  br i1 %settled, label %leave, label %again
leave:
  ret i1 false
}}
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)
"""
