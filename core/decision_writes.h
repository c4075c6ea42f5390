/* What decisions of writes and names say; see decision_texts.h. */
#ifndef FB_CORE_DECISION_WRITES_H
#define FB_CORE_DECISION_WRITES_H

/* Puts: who holds what, and when it is acknowledged. */
#define FB_WHYS_OF_WRITES(X) \
    X(NO_PUT, "no record is free for it, or what is owed has its share of memory -> {status}") \
    X(NOT_SETTLED, "this node still looks at its drive -> BUSY") \
    X(TOO_FEW, "there are fewer members than the level wants -> DEGRADED") \
    X(VERSIONS, "the same block is being read or spread -> BUSY") \
    X(HOLD_RANK, "{peer} is to hold it as the owner of rank {count} of {of} -> asked") \
    X(HOLD_INSTEAD, "{peer} is to hold it in the place of rank {count} of {of} -> asked") \
    X(HOLD_HERE, "this node is to hold it, as number {count} of {of} -> does") \
    X(STAND_IN, "rank {count} is silent or cannot hold it -> {peer} takes its place") \
    X(NO_STAND_IN, "rank {count} is silent or cannot hold it, and nobody can take its place") \
    X(QUORUM, "{count} of {of} that the level wants hold it -> acknowledged") \
    X(NO_QUORUM, "{count} of {of} that the level wants hold it -> not acknowledged yet") \
    X(FRAGMENTS, "{count} fragments are held, and {of} are as safe as the level wants") \
    X(FEW_FRAGMENTS, "{count} fragments are held, and {of} would be as safe as the level wants") \
    X(WANTS_ORIGIN, "the level wants it at the origin -> not acknowledged before that") \
    X(FEWER, "{count} hold it, and no more than {of} can -> acknowledged as degraded") \
    X(DEGRADED, "no more than {of} can hold it, and the level wants more -> DEGRADED") \
    X(PUT_VAIN, "it was tried for long enough -> {status}") \
    X(PUT_AGAIN, "looked at again in {at}") \
    X(PUT_OVER, "all {of} that shall hold it do -> nobody is asked any more") \
    X(PUT_LEFT, "all that shall hold it do -> this node's copy is a cache's now") \
    X(RELIED, "another counts on this copy -> all are asked once more before it goes") \
    X(NO_DRIVE, "there is no drive here -> INVALID") \
    X(HOLD_PULL, "it is not here -> pulled from {peer}") \
    X(HOLD_BUSY, "no fill, place or memory is free for it -> BUSY") \
    X(HOLD_OTHER, "the bytes here are others -> CONFLICT") \
    X(HOLD_SAFE, "it is at the origin already, or for others to use alone -> held") \
    X(HOLD_FULL, "what is kept for long has its share of memory -> FULL") \
    X(HOLD_PROMISE, "its bytes are right, and there is room -> promised") \
    X(HOLD_WRITE, "the level wants it on the drive -> held when that is done")

/* What is stored at the origin, when, and by whom. */
#define FB_WHYS_OF_DRAINS(X) \
    X(OWED, "it is owed to the origin -> looked at in {at}") \
    X(STORE, "{block} is this node's to drain -> stored") \
    X(STORE_SILENT, \
      "{block} is another's to drain, which has not said that it did -> stored here") \
    X(STORE_STUCK, "those who should hold {block} cannot -> stored here") \
    X(STORE_LATER, "{count} stores are under way, and {of} may be -> the others wait") \
    X(STORE_FAILED, "{status} -> stored again in {at} at the earliest") \
    X(DRAIN_ASK, "{peer} is to drain it -> asked whether it has") \
    X(DRAINED, "it is at the origin -> owed no longer, and other holders hear it") \
    X(DRAINED_THERE, "{peer} knows that it is at the origin -> owed no longer") \
    X(SAY_DRAINED, "it is known to be at the origin -> {peer} hears it") \
    X(SAY_OWED, "it is owed here, too -> {peer} goes on waiting") \
    X(SAY_NOTHING, "it is not known here to be at the origin -> {peer} hears that") \
    X(DRAINS_THERE, "{peer} has it and is to drain it -> waits") \
    X(SPREAD_AGAIN, "{peer} does not hold it -> spread once more") \
    X(DRAIN_REST, "all that is owed was looked at -> again in {at}") \
    X(HAND_OFF, "{block} is held for {peer}, which is there -> handed to it") \
    X(GIVEN_UP, "nobody will commit the version of {block} -> owed no longer")

/* Records of the metadata store. */
#define FB_WHYS_OF_RECORDS(X) \
    X(NO_META, "all {of} places for records are in use -> BUSY") \
    X(CHANGED, "the record is number {count}, and {of} was expected -> CONFLICT") \
    X(OURS, "the record is as an earlier try would have made it -> it took effect") \
    X(HIDDEN, "the record has changed more than once -> nobody can tell: TIMEOUT") \
    X(UNSURE, "{status}: it may have taken effect -> the record is read in {at}") \
    X(META_AGAIN, "{status}: nothing has changed -> again in {at}") \
    X(META_OVER, "{status}, and all {of} tries are used up -> given up")

/* Commits, removals and looks of names. */
#define FB_WHYS_OF_NAMES(X) \
    X(NO_NAME, "all {of} places for names are in use -> BUSY") \
    X(NAME_OFF, "the store or the origin is asked by too many -> put off") \
    X(SAME_OBJECT, "the record changed, and the object is the same -> tried over the new record") \
    X(FINISHED, "the record changed to this version -> it was committed, and finished by another") \
    X(COMMIT_BUSY, "the record changed again and again, the object is the same -> BUSY") \
    X(LOOK_AGAIN, "the record changed -> looked at anew") \
    X(COMPOSE, "it is committed, and this node keeps it -> the origin is to show it") \
    X(LOOK_ORIGIN, "it is removed -> what does the origin show?") \
    X(ERASE, "it is removed, and this node keeps it -> erased at the origin") \
    X(UNDO, "another version took its place -> what is left of it is undone") \
    X(RECORD_DONE, "the origin is as the record says -> the record says so") \
    X(RAISE, "the origin has a later object that is nobody's -> shown as later than that") \
    X(NAME_WAIT, "the origin or the store is not ready, or another is at it -> again in {at}") \
    X(SEEK_BLOCKS, "blocks of it are not at the origin -> members are asked for them")

#endif
