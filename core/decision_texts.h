/* What a decision says: the fact, then "->" and what follows from it. Marks stand for what the step
 * knew: {peer} a node, {count} and {of} numbers, {block} another block than the step's, {status} of
 * enum fb_status, {at} how long until a date. Those of writes and names: decision_writes.h. */
#ifndef FB_CORE_DECISION_TEXTS_H
#define FB_CORE_DECISION_TEXTS_H

#include "core/decision_writes.h"

/* X(NAME, text) */
#define FB_WHYS(X) \
    FB_WHYS_OF_TIMERS(X) \
    FB_WHYS_OF_READS(X) \
    FB_WHYS_OF_ATTEMPTS(X) \
    FB_WHYS_OF_LOANS(X) \
    FB_WHYS_OF_TIERS(X) \
    FB_WHYS_OF_WRITES(X) \
    FB_WHYS_OF_DRAINS(X) \
    FB_WHYS_OF_RECORDS(X) \
    FB_WHYS_OF_NAMES(X)

/* Why a TICK does something: whose time is up; in the order of the timers' ids. */
#define FB_WHYS_OF_TIMERS(X) \
    X(TIME_OF_ATTEMPT, "an attempt's time is up") \
    X(TIME_OF_MATCH, "a match has waited for long enough -> answered with what is known") \
    X(TIME_OF_LOAN, "the oldest loan's time is up") \
    X(TIME_OF_PUT, "time to ask those who shall hold a block") \
    X(TIME_OF_DRAIN, "time to look at what is owed to the origin") \
    X(TIME_OF_GATHER, "time to begin more of a gather's ranges") \
    X(TIME_OF_META, "a record is tried again") \
    X(TIME_OF_PINS, "the earliest pin's time is up") \
    X(TIME_OF_SCAN, "the drive is looked through again") \
    X(TIME_OF_MEND, "time to go on with a block that is made of its fragments") \
    X(TIME_OF_LIST, "time to look for names that nobody finishes") \
    X(TIME_OF_NAME, "time to go on with a name")

/* Reads of a client, and matches. */
#define FB_WHYS_OF_READS(X) \
    X(JOIN, "it is on its way already -> waits for that") \
    X(NO_FILL, "all {of} fills are in use -> BUSY") \
    X(NO_WAITER, "all {of} places to wait in are taken -> BUSY") \
    X(NO_ROOM, "all that is in memory is lent, pinned or owed -> BUSY") \
    X(NO_SENSE, "what is asked for breaks a limit of this cache -> INVALID") \
    X(ASK_RANK, "it is not here, and {peer} is its owner of rank {count} of {of} -> asked") \
    X(ASK_NOW, \
      "this node owns it and began lately, {peer} owns it, too -> asked for what is there") \
    X(ASK_WRITER, "a fragment of it is here, and {peer} wrote that -> asked") \
    X(ASK_FRAGMENT, "{peer} said that it has this fragment -> asked") \
    X(SUSPECTED, "{peer}, owner of rank {count} of {of}, is suspected -> passed by") \
    X(FETCH_ALONE, "there are no peers to ask -> from the origin") \
    X(FETCH_AS_OWNER, "this node is the owner to fetch it -> from the origin") \
    X(FETCH_FOR_READER, "a reader asked this node as its owner -> from the origin") \
    X(FETCH_PAST_OWNERS, "no owner is left to ask -> from the origin") \
    X(FETCH_LATER, "{count} of {of} fetches are under way -> waits for its turn") \
    X(NO_COPY, "the origin has no copy of it -> ABSENT") \
    X(READ_DRIVE, "it is on this node's drive -> read from there") \
    X(PASS_DRIVE, "it is on this node's drive, which is slower than others are -> passed by") \
    X(TAKE_CLIENT, "the client has the bytes -> pulled") \
    X(TAKE_WRITER, "its writer {peer} has the bytes -> pulled") \
    X(DECODE, "enough of its fragments are here -> put together") \
    X(SEARCH, "the origin has not got it -> members are asked, {count} at most") \
    X(LOST, "neither the origin nor any member has got it -> LOST") \
    X(SHARE, "{count} keys in a row may be with {peer}, which owns them -> asked") \
    X(PASSING, "its owner keeps it -> let go when its readers are done")

/* Whom an attempt asks for a block, and when it gives up. */
#define FB_WHYS_OF_ATTEMPTS(X) \
    X(ANSWER_BY, "silent for {at}, {peer} would be suspected") \
    X(SILENT, "{peer} did not answer in time -> suspected, and another is asked") \
    X(FOLLOW, "referral {count} of at most {of} -> {peer} is asked") \
    X(REFERRED_ENOUGH, "a referral to nobody, or one of more than {of} -> BUSY") \
    X(REFERRED_ASTRAY, "{peer} is suspected -> whoever named it is asked for another") \
    X(WAIT, "{peer} gets it -> looked at again in {at}") \
    X(STILL_THERE, "{peer} has let this node wait for long -> asked whether it is there") \
    X(HOLDER_SLOW, "{peer} takes longer than holders do -> its owner is asked for another") \
    X(OWNERS_ANEW, "{peer} is not the owner to wait for any more -> those of now are asked") \
    X(HEDGE, "it takes longer than it should -> a second attempt beside it") \
    X(NO_MEMORY, "there is no memory for it now -> given back") \
    X(ODD_OFFER, "it is not what was asked for -> given back") \
    X(LATE, "what it answers has ended -> of no use") \
    X(DIGEST_WRONG, "the bytes have not got the digest that they should -> thrown away") \
    X(FAIL, "{status} -> this attempt is over") \
    X(FAIL_FINAL, "{status}, and nothing is left to try -> who waits hears it") \
    X(BACK_OFF, "nothing else is to be tried now -> again in {at}") \
    X(PAUSE_OVER, "the pause is over -> tried again")

/* What a holder answers who asks it. */
#define FB_WHYS_OF_LOANS(X) \
    X(LEND, "{count} of {of} loans of it were out -> one more, to {peer}") \
    X(REFER, "{count} of {of} loans of it are out -> {peer} is named, which has it or gets it") \
    X(REFER_BUSY, "{count} loans are out in all -> every second asker goes on, here to {peer}") \
    X(NO_LOAN, "{count} of {of} loans of it are out, and nobody else is known -> BUSY") \
    X(FETCH_FOR, "it is not here, and this node is to get it -> {peer} waits") \
    X(QUEUE, "it is on its way already -> {peer} waits, too") \
    X(NOT_NOW, "it is not here now, and {peer} does not wait -> ABSENT") \
    X(NOT_HERE, "it is not here, nor is this node to fetch it -> ABSENT") \
    X(KEPT, "{peer} keeps it -> others are referred there") \
    X(NOT_KEPT, "{peer} does not keep it -> nobody is referred there") \
    X(LOAN_OVER, "{peer} has not given its loan back -> ended, and nobody is referred there") \
    X(COMPLAINT, "a reader found {peer} slow or silent -> nobody is referred there")

/* What goes to memory or drive, and what leaves. */
#define FB_WHYS_OF_TIERS(X) \
    X(EVICT, "memory is full -> {block} goes, the policy's next") \
    X(STAYS, "{block} is lent, pinned or owed -> it stays") \
    X(EVICT_OWN, "its tenant has its quota -> {block} goes, that tenant's oldest") \
    X(EXPIRED, "its time to live is over -> it goes") \
    X(EVICT_DRIVE, "the drive is full -> {block} goes from it, the policy's next") \
    X(NOT_WRITTEN, "the drive has no room, no slot or no budget for it -> not written")

#endif
