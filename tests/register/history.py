"""Is a history of reads, writes, swaps and removals of names one of linearizable registers?

A history is linearizable when each operation can be given one moment between its call and its
return so that, in the order of the moments, every read gives what the write before it wrote, and
every swap finds what it says it replaced. Names are judged one by one, exactly: a search over which
operation comes next, which remembers where it has been.
Source: Wing and Gong, "Testing and verifying concurrent objects", 1993; Lowe, "Testing for
linearizability", 2017; values are unique, which makes three things short:
  1. A write of unknown fate that nobody saw is left out: had it an effect, it was hidden at once.
  2. One that somebody saw came before the first return of who saw it.
  3. A read that fits what is there now comes now: later it cannot do more.
Removals are not unique: those of unknown fate stand beside, each with an effect once or never; of
those that have been called the first goes first, since they are alike.
"""

import bisect
import errno

NOTHING = 0  # the value of a name that means nothing
FOREVER = 1 << 62
CLOCK_NS = 20000000  # guess: how far two clocks of one machine come apart in a run


class Operation:
    """value: written or read; previous: what a swap replaced, None when that is not known.
    after: another that comes before it though both may have one moment; None: none."""

    def __init__(self, kind, name, call_ns, back_ns, outcome, value=NOTHING, previous=None,
                 client=0, node=0):
        self.kind, self.name, self.outcome = kind, name, outcome
        self.call_ns, self.back_ns = call_ns, back_ns
        self.value, self.previous = value, previous
        self.client, self.node = client, node
        self.floor_ns, self.after, self.error = call_ns, None, 0
        self.end_ns = back_ns if outcome == "ok" else FOREVER

    def __str__(self):
        what = "%x" % self.value
        if self.kind == "swap":
            what += " for " + ("?" if self.previous is None else "%x" % self.previous)
        back = "%.6f" % (self.back_ns / 1e9) if self.back_ns < FOREVER else "never"
        old = ", may be as old as %.6f" % (self.floor_ns / 1e9) if self.floor_ns < self.call_ns \
            else ""
        return "%.6f to %s: client %d at node %d: %s %s: %s %s%s" % (
            self.call_ns / 1e9, back, self.client, self.node, self.kind, self.name, self.outcome,
            what, old)

    def seen(self):
        """The value that it saw; None: none that is known."""
        if self.outcome != "ok" or self.kind not in ("read", "swap"):
            return None
        return self.value if self.kind == "read" else self.previous

    def next(self, state):
        """The state after it; None: it cannot be now."""
        if self.kind == "read":
            return state if self.value == state else None
        if self.kind == "swap" and self.previous is not None and self.previous != state:
            return None
        return NOTHING if self.kind == "remove" else self.value


def first_sights(operations):
    """When the first that saw a value had returned; a swap of unknown fate has seen what it
    replaced if it is seen itself."""
    sights = {}

    def see(value, end_ns):
        sights[value] = min(sights.get(value, FOREVER), end_ns)

    for operation in operations:
        if operation.seen() is not None:
            see(operation.seen(), operation.back_ns)
    swaps = [one for one in operations if one.kind == "swap" and one.outcome == "unknown" and
             one.previous is not None]
    while True:
        seen = [one for one in swaps if one.value in sights]
        if not seen:
            return sights
        for one in seen:
            see(one.previous, sights[one.value])
        swaps = [one for one in swaps if one not in seen]


def prepare(operations):
    """Those that must have a moment, in the order of their calls, and the removals that may."""
    sights = first_sights(operations)
    must, may = [], []
    for operation in operations:
        if operation.outcome == "failed" or (operation.kind == "read" and
                                             operation.outcome != "ok"):
            continue
        if operation.outcome == "ok":
            must.append(operation)
        elif operation.kind == "remove":
            may.append(operation)
        elif operation.value in sights:
            operation.end_ns = max(sights[operation.value], operation.call_ns)
            must.append(operation)
    return (sorted(must, key=lambda one: one.floor_ns), sorted(may, key=lambda one: one.call_ns))


class Search:
    """Of one name. A place: the first operation that has no moment yet, those behind it that have
    one, how many of the removals of unknown fate are used, and the register's value."""

    def __init__(self, operations):
        self.must, self.may = prepare(operations)
        self.index = {id(one): i for i, one in enumerate(self.must)}
        self.furthest = (0, frozenset(), 0, NOTHING)

    def open(self, first, done):
        """Indexes of those that may be next, as their times go, and the end of that time."""
        end_ns, found = FOREVER, []
        for i in range(first, len(self.must)):
            one = self.must[i]
            if one.floor_ns > end_ns:
                break
            if i in done:
                continue
            found.append(i)
            end_ns = min(end_ns, one.end_ns)
        is_past = lambda other: self.index[id(other)] < first or self.index[id(other)] in done
        return [i for i in found if self.must[i].floor_ns <= end_ns and
                (self.must[i].after is None or is_past(self.must[i].after))], end_ns

    def step(self, first, done, i):
        """The place's first and done once i has its moment."""
        done = done | {i}
        while first in done:
            done = done - {first}
            first += 1
        return first, done

    def nexts(self, place):
        """Places that follow; the most likely last."""
        first, done, used, state = place
        found, end_ns = self.open(first, done)
        for i in found:
            if self.must[i].kind == "read" and self.must[i].value == state:
                return [self.step(first, done, i) + (used, state)]
        places = []
        if state != NOTHING and used < len(self.may) and self.may[used].call_ns <= end_ns:
            places.append((first, done, used + 1, NOTHING))
        for i in sorted(found, key=lambda i: -self.must[i].end_ns):
            after = self.must[i].next(state)
            if after is not None:
                places.append(self.step(first, done, i) + (used, after))
        return places

    def run(self):
        """True: there is an order."""
        stack, been = [self.furthest], set()
        while stack:
            place = stack.pop()
            if place[0] == len(self.must):
                return True
            if place in been:
                continue
            been.add(place)
            if place[0] > self.furthest[0]:
                self.furthest = place
            stack += self.nexts(place)
        return False

    def excerpt(self):
        """Lines about where every order ended."""
        first, done, _, state = self.furthest
        lines = ["no order gets past this: the register holds %x, and these are next:" % state]
        found = self.open(first, done)[0]
        lines += ["    %s" % self.must[i] for i in found]
        seen = {self.must[i].seen() for i in found} | {state}
        lines.append("who wrote what is seen there:")
        lines += ["    %s" % one for one in self.must
                  if one.kind in ("write", "swap") and one.value in seen]
        lines.append("before them, as they were called:")
        return lines + ["    %s" % one for one in self.must[max(0, first - 12):first]]


def foreign(operations):
    """Lines about values that nobody wrote, or whose write surely had no effect."""
    written = {one.value: one for one in operations if one.kind in ("write", "swap")}
    lines = []
    for one in operations:
        value = one.seen()
        if value is None or value == NOTHING:
            continue
        if value not in written:
            lines.append("nobody wrote what was seen: %s" % one)
        elif written[value].outcome == "failed":
            lines.append("a write that failed was seen: %s; the write: %s" % (one, written[value]))
        elif written[value].call_ns > one.back_ns:
            lines.append("seen before it was written: %s" % one)
    return lines


def check(operations):
    """Lines about what is wrong; none: each name is a linearizable register."""
    lines = []
    for name in sorted({one.name for one in operations}):
        own = [one for one in operations if one.name == name]
        faults = foreign(own)
        search = Search(own)
        if not faults and not search.run():
            faults = search.excerpt()
        lines += ["%s: %s" % (name, line) for line in faults]
    return lines


def excuse(operations, silences, tries, starts):
    """Reads that may be answered from what a daemon knew before, the store being silent: they have
    their moment between the last call that it surely answered from the store and their own return,
    and each not before the one that this daemon answered so before it. silences: node: when its
    daemons called the store in vain; it is silent after so many tries. starts: node: when its
    daemons started. Returns how many such reads there are."""
    excused = {}
    fresh = {}
    for one in sorted(operations, key=lambda one: one.call_ns):
        if one.outcome != "ok" or one.kind == "remove":
            continue
        own = silences.get(one.node, ())
        is_silent = tries <= (bisect.bisect(own, one.back_ns + CLOCK_NS) -
                              bisect.bisect(own, one.call_ns - CLOCK_NS))
        kept = excused if one.kind == "read" and is_silent else fresh
        kept.setdefault((one.node, one.name), []).append(one)
    for place, reads in excused.items():
        for i, read in enumerate(reads):
            begin_ns = max([ns for ns in starts[place[0]] if ns <= read.call_ns], default=0)
            known = [one.call_ns for one in fresh.get(place, ())
                     if one.back_ns <= read.call_ns and one.call_ns >= begin_ns]
            before = [one for one in reads[:i]
                      if one.back_ns <= read.call_ns and one.call_ns >= begin_ns]
            read.floor_ns = max([begin_ns] + known)
            read.after = max(before, key=lambda one: one.back_ns, default=None)
    return sum(len(reads) for reads in excused.values())


def read_file(path, client, node):
    """Operations of one client's lines, and what it found wrong. A removal that finds nothing is a
    read of nothing."""
    operations, wrong = {}, []
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if words[0] == "call":
                operations[words[2]] = Operation(
                    words[3], words[4], int(words[1]), FOREVER, "unknown", int(words[5], 16),
                    client=client, node=node)
            elif words[0] == "back":
                one = operations[words[2]]
                one.back_ns, one.outcome = int(words[1]), words[3]
                one.end_ns = one.back_ns if one.outcome == "ok" else FOREVER
                if one.kind == "read":
                    one.value = int(words[4], 16)
                if one.kind == "swap":
                    one.previous = int(words[5], 16)
                one.error = int(words[6])
                if one.kind == "remove" and one.error == errno.ENOENT:
                    one.kind, one.outcome, one.end_ns = "read", "ok", one.back_ns
            else:
                wrong.append("client %d at node %d: %s" % (client, node, line.strip()))
    return list(operations.values()), wrong
