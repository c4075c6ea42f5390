#!/usr/bin/env python3
"""The judge of register_test.py judged: histories made by hand that are right and that are wrong,
random ones of a real register, and small ones of which every order is tried.

usage: history_test.py [--seed N]
"""

import argparse
import itertools
import random
import sys
import unittest

import history
from history import FOREVER, NOTHING, Operation

SEED = 1
A, B, C = 0xa, 0xb, 0xc
S = 1000000000


def operation(kind, call_ns, back_ns, value=NOTHING, previous=None, outcome="ok", node=0):
    back_ns = FOREVER if outcome == "unknown" else back_ns
    return Operation(kind, "n", call_ns, back_ns, outcome, value, previous, node=node)


def read(call_ns, back_ns, value, **more):
    return operation("read", call_ns, back_ns, value, **more)


def write(call_ns, back_ns, value, **more):
    return operation("write", call_ns, back_ns, value, **more)


def swap(call_ns, back_ns, value, previous, **more):
    return operation("swap", call_ns, back_ns, value, previous, **more)


def remove(call_ns, back_ns, **more):
    return operation("remove", call_ns, back_ns, **more)


class ByHand(unittest.TestCase):
    def right(self, *operations):
        self.assertEqual(history.check(operations), [])

    def wrong(self, word, *operations):
        lines = history.check(operations)
        self.assertTrue(lines)
        self.assertIn(word, lines[0])

    def test_right(self):
        self.right()
        self.right(read(0, 1, NOTHING))
        self.right(write(0, 1, A), read(2, 3, A))
        self.right(write(0, 10, A), read(1, 2, NOTHING), read(3, 4, A))
        self.right(write(0, 10, A), write(0, 10, B), read(11, 12, A), read(13, 14, A))
        self.right(write(0, 1, A), swap(2, 3, B, A), swap(4, 5, C, B), read(6, 7, C))
        self.right(write(0, 1, A), remove(2, 3), read(4, 5, NOTHING), swap(6, 7, B, NOTHING))
        self.right(write(0, 1, A, outcome="failed"), read(2, 3, NOTHING))

    def test_stale_read(self):
        self.wrong("no order", write(0, 1, A), write(2, 3, B), read(4, 5, A))
        self.wrong("no order", write(0, 1, A), read(2, 3, NOTHING))
        self.wrong("no order", write(0, 1, A), write(2, 9, B), read(3, 4, B), read(5, 6, A))

    def test_lost_update(self):
        self.wrong("no order", write(0, 1, A), swap(2, 9, B, A), swap(2, 9, C, A))
        self.wrong("no order", write(0, 1, A), swap(2, 3, B, A), read(4, 5, A))

    def test_forked(self):
        """Two see two writes in two orders."""
        writes = [write(0, 9, A), write(0, 9, B)]
        first = [read(1, 2, A), read(3, 4, B)]
        self.right(*writes, *first)
        self.wrong("no order", *writes, *first, read(1, 2, B), read(3, 4, A))

    def test_value_from_nowhere(self):
        self.wrong("nobody wrote", write(0, 1, A), read(2, 3, B))
        self.wrong("nobody wrote", swap(0, 1, A, B))
        self.wrong("before it was written", read(0, 1, A), write(2, 3, A))

    def test_value_of_a_failed_write(self):
        self.wrong("that failed", write(0, 1, A, outcome="failed"), read(2, 3, A))

    def test_unknown_write(self):
        unknown = write(0, 1, A, outcome="unknown")
        self.right(unknown, read(2, 3, NOTHING))
        self.right(unknown, read(2, 3, NOTHING), read(4, 5, A), read(6, 7, A))
        self.wrong("no order", unknown, read(2, 3, A), read(4, 5, NOTHING))
        self.right(unknown, write(2, 3, B), read(4, 5, B), read(6, 7, A))
        self.wrong("no order", unknown, read(2, 3, A), write(4, 5, B), read(6, 7, A))

    def test_unknown_swap(self):
        self.right(write(0, 1, A), swap(2, 3, B, A, outcome="unknown"), read(4, 5, A),
                   read(6, 7, B))
        self.wrong("no order", write(0, 1, A), write(2, 3, B),
                   swap(4, 5, C, A, outcome="unknown"), read(6, 7, C))

    def test_unknown_removal(self):
        unknown = remove(2, 3, outcome="unknown")
        self.right(write(0, 1, A), unknown, read(4, 5, A), read(6, 7, NOTHING))
        self.wrong("no order", write(0, 1, A), unknown, read(4, 5, NOTHING), read(6, 7, A))
        self.wrong("no order", write(0, 1, A), unknown, read(4, 5, NOTHING), write(6, 7, B),
                   read(8, 9, NOTHING))
        self.wrong("no order", write(0, 1, A), read(2, 3, NOTHING),
                   remove(4, 5, outcome="unknown"))

    def test_read_from_a_silent_store(self):
        """Old within what its daemon knew is right, older is wrong, back and forth is wrong."""
        def judged(reads, silences, starts=(0,)):
            own = [write(0, S, A), read(2 * S, 3 * S, A, node=1), write(4 * S, 5 * S, B),
                   write(6 * S, 7 * S, C)] + reads
            history.excuse(own, silences, 2, {0: [0], 1: [second * S for second in starts]})
            return history.check(own)

        def late(second, value):
            return read(second * S, second * S + S, value, node=1)
        silences = {1: [20 * S, 21 * S, 22 * S, 23 * S, 40 * S]}
        self.assertEqual(judged([late(20, A)], silences), [])
        self.assertEqual(judged([late(20, A), late(22, B)], silences), [])
        self.assertTrue(judged([late(20, B), late(22, A)], silences))
        self.assertTrue(judged([late(20, A)], {0: silences[1]}))
        self.assertTrue(judged([late(40, A)], silences))
        self.assertTrue(judged([late(8, C), late(20, A)], silences))
        self.assertTrue(judged([late(20, A)], silences, (0, 8)))
        self.assertTrue(judged([late(20, NOTHING)], silences))


def random_history(chance, count, clients):
    """What clients of a real register see; some never hear of what they did."""
    state, operations = NOTHING, []
    free_ns = [0] * clients
    moments = sorted(chance.sample(range(10, 10 + count * 20), count))
    for number, moment_ns in enumerate(moments):
        client = chance.randrange(clients)
        call_ns = max(free_ns[client], moment_ns - chance.randrange(1, 60))
        if call_ns > moment_ns:
            continue
        kind = chance.choice(("read", "read", "write", "swap", "remove"))
        value, previous = number + 100, state
        outcome = "unknown" if chance.random() < 0.1 else "ok"
        has_effect = outcome == "ok" or chance.random() < 0.5
        if kind == "read":
            value = state
        elif has_effect:
            state = NOTHING if kind == "remove" else value
        back_ns = moment_ns + chance.randrange(0, 60)
        free_ns[client] = back_ns + 1
        operations.append(operation(kind, call_ns, back_ns, NOTHING if kind == "remove" else value,
                                    previous, outcome))
    return operations


def is_ordered(order):
    """Does this order of operations follow times and values?"""
    state, latest_ns = NOTHING, 0
    for one in order:
        latest_ns = max(latest_ns, one.call_ns)
        state = one.next(state)
        if state is None or latest_ns > (one.back_ns if one.outcome == "ok" else FOREVER):
            return False
    return True


def brute_force(operations):
    """Tries every order of every choice of those of unknown fate."""
    sure = [one for one in operations if one.outcome == "ok"]
    unsure = [one for one in operations if one.outcome == "unknown" and one.kind != "read"]
    for count in range(len(unsure) + 1):
        for chosen in itertools.combinations(unsure, count):
            if any(is_ordered(order) for order in itertools.permutations(sure + list(chosen))):
                return True
    return False


class ByChance(unittest.TestCase):
    def test_real_register_is_right(self):
        chance = random.Random(SEED)
        for _ in range(200):
            operations = random_history(chance, chance.randrange(2, 200), chance.randrange(1, 9))
            self.assertEqual(history.check(operations), [])

    def test_same_as_every_order(self):
        """Histories of which one value or time is changed at random: right or wrong alike."""
        chance, rights = random.Random(SEED), 0
        for _ in range(2000):
            operations = random_history(chance, 6, 3)
            reads = [one for one in operations if one.kind == "read" or one.kind == "swap"]
            values = [one.value for one in operations]
            if reads and chance.random() < 0.8:
                one = chance.choice(reads)
                if one.kind == "read":
                    one.value = chance.choice(values)
                else:
                    one.previous = chance.choice(values)
            expected = brute_force(operations)
            rights += expected
            self.assertEqual(history.check(operations) == [], expected,
                             "\n".join(str(one) for one in operations))
        self.assertGreater(min(rights, 2000 - rights), 200)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    SEED = parser.parse_args().seed
    print("seed %d" % SEED)
    sys.argv = sys.argv[:1]
    unittest.main(verbosity=1)
