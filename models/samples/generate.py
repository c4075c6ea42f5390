#!/usr/bin/env python3
"""Writes the two sample traces beside this file, always the same bytes.

conversation-small.jsonl: requests of a chat service in Mooncake's form. Sessions share one of a few
system prompts; each turn sends the whole conversation so far and appends to it. A block is 512
tokens; its id stands for the block and everything before it, so that equal ids mean equal prefixes.
Ids are numbered in order of first appearance.

keys-small.txt: one key a line, popularity by Zipf's law, with a scan in the middle.

Only random.random() is used: its sequence for a seed is the same in every Python 3.
"""
import json
import math
import os
import random

BLOCK_TOKENS = 512
REQUESTS = 200
SESSIONS_ALIVE = 40
SYSTEM_PROMPTS = [2, 6, 11]  # blocks of each
MEAN_GAP_MS = 900
MEAN_NEW_BLOCKS = 19
MEAN_OUTPUT_TOKENS = 340
TURNS_END = 0.3  # chance that a turn is a session's last


def exponential(generator, mean):
    return -mean * math.log(1.0 - generator.random())


def session_new(generator, number):
    prompt = int(generator.random() * len(SYSTEM_PROMPTS))
    blocks = [("prompt", prompt, i) for i in range(SYSTEM_PROMPTS[prompt])]
    return {"number": number, "blocks": blocks, "grown": 0}


def session_turn(generator, session):
    for _ in range(1 + int(exponential(generator, MEAN_NEW_BLOCKS))):
        session["blocks"].append(("session", session["number"], session["grown"]))
        session["grown"] += 1
    # The last block is partly filled; the next turn sends it complete, under another id.
    tail = int(generator.random() * BLOCK_TOKENS)
    return (len(session["blocks"]) - 1) * BLOCK_TOKENS + tail + 1


def conversation(generator):
    numbers = {}
    sessions = [session_new(generator, i) for i in range(SESSIONS_ALIVE)]
    created = SESSIONS_ALIVE
    time_ms = 0.0
    for _ in range(REQUESTS):
        time_ms += exponential(generator, MEAN_GAP_MS)
        place = int(generator.random() * SESSIONS_ALIVE)
        tokens = session_turn(generator, sessions[place])
        names = list(sessions[place]["blocks"])
        names[-1] = names[-1] + ("partial",)
        yield {
            "timestamp": int(time_ms),
            "input_length": tokens,
            "output_length": 1 + int(exponential(generator, MEAN_OUTPUT_TOKENS)),
            "hash_ids": [numbers.setdefault(name, len(numbers)) for name in names],
        }
        if generator.random() < TURNS_END:
            sessions[place] = session_new(generator, created)
            created += 1


def keys(generator):
    ranks = 300
    weights = [1.0 / (i + 1) for i in range(ranks)]
    total = sum(weights)
    for i in range(2000):
        if 900 <= i < 1100:
            yield "scan/%d" % i
            continue
        place = generator.random() * total
        rank = 0
        while rank < ranks - 1 and place >= weights[rank]:
            place -= weights[rank]
            rank += 1
        yield "weights/shard-%03d" % rank if rank % 2 else str(rank)


def main():
    folder = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(folder, "conversation-small.jsonl"), "w", encoding="ascii") as out:
        for request in conversation(random.Random(7)):
            out.write(json.dumps(request) + "\n")
    with open(os.path.join(folder, "keys-small.txt"), "w", encoding="ascii") as out:
        for key in keys(random.Random(11)):
            out.write(key + "\n")


if __name__ == "__main__":
    main()
