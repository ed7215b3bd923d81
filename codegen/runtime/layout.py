"""The tables that Python fills and native code reads: arrays of 64-bit words, and what each word is."""

from __future__ import annotations

# pool
POOL_STARTED, POOL_LAST, POOL_DONE, POOL_MAILBOXES, MAILBOX_WORDS, MAX_WORKERS = 0, 1, 16, 32, 16, 255
POOL_CLAIMS = POOL_MAILBOXES + MAILBOX_WORDS * MAX_WORKERS  # of every thread of a call: see claims.py
# a thread's claims: its share, the number of the share-out that it is at, its pace, and the two words in which it tells that (see
# paces.py); on a line of their own what others take a part of, how far it has come (others wait for that), how many have given back what
# they took (it waits for that itself), how many took something, where its sums wait, and the number of the call (see helping.py)
CLAIM_NUMBER, PACE, PACE_TOLD, CLAIM_WORDS = 1, 2, 4, 16
HELP, HELP_BEGUN, HELP_RETURNED, HELP_LENT, HELP_SUMS, HELP_NUMBER = 8, 9, 11, 13, 14, 15
POOL_WORDS = POOL_CLAIMS + CLAIM_WORDS * (MAX_WORKERS + 1)
# mailbox: sequence number (the word slept on), asleep, then the job and the pool's count of finished workers
MAIL_SEQUENCE, MAIL_ASLEEP, MAIL_FUNCTION, MAIL_CONTEXT, MAIL_THREAD, MAIL_THREADS, MAIL_DONE = range(7)
# call: what kc.call runs
CALL_POOL, CALL_FUNCTION, CALL_CONTEXT, CALL_THREADS, CALL_SHARED, CALL_SMALL = range(6)
CALL_WORDS = 8
IDLE_YIELDS = 1000  # yields of an idle worker before it sleeps
CLOSE_CALLS = 500_000  # nanoseconds between two small calls that find workers asleep, within which these are woken for the next one
# frame: what a step reads; after the table shared by its threads and that of its calls the rest is laid by codegen.step_text
FRAME_SHARED, FRAME_CALLS, FRAME_WORDS = range(3)
# calls: their number, the bytes of memory that each thread has for itself, the functions with which threads help (see helping.py; 0 where
# no call has such passes), then for each the kernel's function, its words of the frame,
# whether threads meet before it, how many calls go through the samples together, how many samples at a time, the trips of a sample,
# the words of the table where its private arrays and what it asks for are told (0: it has none), the least samples that a thread may
# claim (0: none), the instructions of a trip, where threads' shares follow from how fast they were (0: they do not), and whether the call
# asks for its trips itself when it comes to them: CLAIMS pieces, or asks for its share in EACH_PASS
STEPS_COUNT, STEPS_PRIVATE, STEPS_BEGIN, STEPS_PASS, STEPS_MORE, STEPS_HEAD = range(6)
(STEP_KERNEL, STEP_TRIPS, STEP_DIMS, STEP_ARGS, STEP_MEETS, STEP_TOGETHER, STEP_SAMPLES, STEP_UNIT, STEP_PRIVATE, STEP_ASKED,
 STEP_PIECE, STEP_COST, STEP_INSIDE, STEP_WORDS) = range(14)
ALL_AT_ONCE, CLAIMS, EACH_PASS = range(3)
# private arrays of a call: how many arguments it has, how many of them are private, then for each its number, the bytes of a sample, and
# the byte of the thread's own memory where it begins
PRIVATE_ARGS, PRIVATE_COUNT, PRIVATE_HEAD = range(3)
PRIVATE_ARG, PRIVATE_BYTES, PRIVATE_PLACE, PRIVATE_WORDS = range(4)
MOST_ARGS = 128  # of a call that has private arrays
# what calls that go through the samples together ask for: how many arrays, then for each the word of the frame with its address, the bytes
# of a sample, and 0 where it is for the samples that they are at, which come first, or 1 for the next ones
ASKED_COUNT, ASKED_HEAD = range(2)
ASKED_WORD, ASKED_BYTES, ASKED_AHEAD, ASKED_WORDS = range(4)
MOST_ASKED = 12
# a thread's errands (see errands.py)
ERRAND_PLACE, ERRAND_END, ERRAND_NEXT, ERRAND_LIST = range(4)
ERRAND_WORDS = ERRAND_LIST + 2 * (MOST_ASKED + 1)
# words before a call's arguments: what it claims its trips with (see claims.py), and its errands; 0 where there is none
ERRAND_BEFORE, CLAIMS_BEFORE, WORDS_BEFORE = 1, 2, 2
# what a call claims its trips with: a function that takes the address of these words, and the operands of @kc.claim
MORE_FUNCTION, MORE_CLAIMS, MORE_THREAD, MORE_THREADS, MORE_COUNT, MORE_PIECE, MORE_MOST, MORE_WORDS = range(8)
# what one that goes through its trips several times asks with for its share of a pass (see helping.py): a function that takes the address
# of these words, where sums wait, the thread's claims, the first pass, the next one, the thread in whose memory the sums are, the trips
# made so far, when it began, and how many trips are worth being taken over; then functions of the runtime
(PASS_FUNCTION, PASS_SUMS, PASS_OWN, PASS_FIRST, PASS_NEXT, PASS_OWNER, PASS_TRIPS, PASS_BEGAN, PASS_WORTH, PASS_WAIT, PASS_WAKE, PASS_PACE,
 PASS_NOW, PASS_WORDS) = range(14)
# loop
(LOOP_SHARED, LOOP_STEP, LOOP_EVEN, LOOP_ODD, LOOP_TAIL, LOOP_FULL_STEPS, LOOP_FIRST, LOOP_STEPS, LOOP_BUDGET, LOOP_DONE, LOOP_FEEDS,
 LOOP_FEED_COUNT, LOOP_MOVING, LOOP_MOVING_COUNT, LOOP_BATCH, LOOP_TAIL_ROWS) = range(16)
LOOP_GO = 16  # two words, used in turn: whether there is a step after the next barrier
LOOP_STOP = 32  # set by anyone, at any time
LOOP_WORDS = 48
# feed: gather function, destinations for even and odd steps, source, order (or 0), elements a row, bytes a row of the source where rows
# are asked for a step before they are gathered (or 0)
FEED_FUNCTION, FEED_EVEN, FEED_ODD, FEED_SOURCE, FEED_ORDER, FEED_ELEMENTS, FEED_AHEAD = range(7)
FEED_WORDS = 8
# moving pointer: the frames' word, value at step 0, what each step adds, what odd steps add
MOVE_WORD, MOVE_BASE, MOVE_STRIDE, MOVE_ODD = range(4)
MOVE_WORDS = 4


def fields(table: str, **fields: tuple[int, str]) -> str:
    """Loads of words of a table: name=(word, type)."""
    lines = []
    for name, (word, kind) in fields.items():
        lines.append(f"  %{name}.place = getelementptr i64, ptr %{table}, i64 {word}")
        lines.append(f"  %{name} = load {kind}, ptr %{name}.place")
    return "\n".join(lines)


def stored(table: str, words: tuple[tuple[int, str], ...]) -> str:
    """Stores of words of a table: (word, type and value)."""
    lines = []
    for word, value in words:
        lines.append(f"  %{table}.{word} = getelementptr i64, ptr %{table}, i64 {word}")
        lines.append(f"  store {value}, ptr %{table}.{word}")
    return "\n".join(lines)
