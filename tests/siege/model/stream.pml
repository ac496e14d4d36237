/* A stream, a second one after or beside it, and rebuilds: what a reader of a month's ten sees.

   One listener's month of N plays, each a bit. Any process may be killed before any step. Promises, as
   docs/exactness.md has them:
     archived first       what is acknowledged is in the archive
     never shrinks        what a reader sees of the month never gets less
     complete             when all have come to rest, the ten and play_events have every play
   With -DMUTATION one protection is taken away, and a promise has to break. */

#ifndef N
#define N 2
#endif
#if N == 2
#define SETS 4
#define ALL 3
#else
#define SETS 8
#define ALL 7
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef AGAIN
#define AGAIN 1
#endif
#ifndef REBUILDS
#define REBUILDS 1
#endif

byte waiting = ALL;    /* messages that Pub/Sub would deliver */
byte acknowledged;     /* plays of which a message was acknowledged */
byte again = AGAIN;    /* how many acknowledged messages Pub/Sub may deliver once more all the same */
byte archived;         /* plays that are in files of the archive */
byte seen;             /* deduplication's state, where it outlives a worker (ARCHIVE_AFTER_DEDUPLICATION) */
byte events;           /* plays that are in play_events */
byte fresh;            /* those that were written there after a rebuild listed its files */
byte crashes = CRASHES;
byte at_work;          /* streams and rebuilds that have not ended */
bool lease;            /* a stream holds the archive's lease */
bool alone;            /* a rebuild holds the warehouse's lock */
bool rows[SETS];       /* snapshots by the set of plays that they count */
bool old[SETS];        /* those of them that a rebuild is going to remove */
byte newest;           /* the snapshot that was written last (NEWEST_SNAPSHOT) */

inline count_plays(set, number) {
  number = 0; digit = 0;
  do :: digit < N -> number = number + ((set >> digit) & 1); digit++ :: else -> break od;
  digit = 0
}

/* A step, or the end of the process before it. */
#define STEP(does) if :: atomic { does } :: atomic { crashes > 0 -> crashes--; goto killed } fi

inline write_events(set) { events = events | (set); fresh = fresh | (set) }
inline snapshot(set) { rows[set] = true; newest = set }

proctype Stream() {
  byte known, there, to_replay, held, play;
launch:
#ifndef NO_LEASE
  atomic { !lease -> lease = true };
#endif
  /* First what the tables have, so that of the archive only what they lack is written again. A file of rows that a
     rebuild has replaced since it was listed has none. */
  STEP(to_replay = events;);
  STEP(if :: to_replay = 0 :: skip fi; known = to_replay; there = to_replay;);
  if :: known -> if :: STEP(snapshot(known);) :: skip fi :: else fi;
  STEP(to_replay = archived & ~known;);
#ifdef NO_REPLAY
  to_replay = 0;
#endif
  do
  :: to_replay -> atomic { select (play : 0 .. (N - 1)); if :: to_replay & (1 << play) :: else -> play = N fi };
     if
     :: play < N -> STEP(known = known | (1 << play); to_replay = to_replay & ~(1 << play););
        if :: STEP(snapshot(known);) :: skip fi
     :: else
     fi
  :: else -> break
  od;
#ifdef ARCHIVED_IS_THERE
  there = known;
#endif
  STEP(write_events(known & ~there););
  if :: known -> STEP(snapshot(known);) :: else fi;
  do
  :: atomic { waiting -> select (play : 0 .. (N - 1)); if :: waiting & (1 << play) -> held = 1 << play :: else -> held = 0 fi };
     if :: held ->
#ifdef ACKNOWLEDGE_BEFORE_ARCHIVE
       STEP(waiting = waiting & ~held; acknowledged = acknowledged | held;);
#endif
#ifdef ARCHIVE_AFTER_DEDUPLICATION
       if
       :: atomic { seen & held -> skip }
       :: else -> STEP(seen = seen | held;); STEP(archived = archived | held;)
       fi;
#else
       STEP(archived = archived | held;);
#endif
#ifndef ACKNOWLEDGE_BEFORE_ARCHIVE
       STEP(waiting = waiting & ~held; acknowledged = acknowledged | held;);
#endif
       STEP(known = known | held;);
       STEP(write_events(held); held = 0;);
       STEP(snapshot(known);)
     :: else
     fi
  :: atomic { again > 0 && acknowledged -> again--; waiting = waiting | acknowledged }
  :: atomic { !waiting -> lease = false; at_work--; goto ended }
  od;
killed:
  atomic { known = 0; there = 0; held = 0; to_replay = 0; play = 0;
#ifndef NO_LEASE
    lease = false
#endif
  };
  goto launch;
ended:
  skip
}

proctype Rebuild() {
  byte listed, set;
begin:
  atomic { !alone -> alone = true };
#ifdef TABLES_LISTED_LAST
  STEP(listed = archived;);
#endif
  /* The tables' files are listed before the archive's, so that what goes counted no more than what comes. */
  STEP(for (set : 0 .. ALL) { old[set] = rows[set] }; fresh = 0);
#ifndef TABLES_LISTED_LAST
  STEP(listed = archived;);
#endif
#ifdef REMOVE_FIRST
  STEP(for (set : 0 .. ALL) { rows[set] = rows[set] && !old[set] });
#endif
  if
  :: listed -> STEP(snapshot(listed); old[listed] = false; events = listed | fresh;)
  :: else
  fi;
  STEP(for (set : 0 .. ALL) { rows[set] = rows[set] && !old[set] });
  atomic { alone = false; at_work--; goto ended };
killed:
  atomic { listed = 0; set = 0; for (set : 0 .. ALL) { old[set] = false }; set = 0; alone = false };
  goto begin;
ended:
  skip
}

/* Looks at the month all the while, and once more when all have come to rest. */
active proctype Reader() {
  byte before, now, set, plays, digit;
  atomic {
    run Stream(); run Stream(); at_work = 2;
    for (set : 1 .. REBUILDS) { run Rebuild(); at_work++ }
    set = 0
  };
  do
  :: d_step {
       now = 0;
       for (set : 0 .. ALL) {
         if :: rows[set] -> count_plays(set, plays); if :: plays > now -> now = plays :: else fi :: else fi
       };
#ifdef NEWEST_SNAPSHOT
       count_plays(newest, now);
#endif
       set = 0; plays = 0;
       assert(!(acknowledged & ~archived));  /* archived first */
       assert(now >= before);                /* never shrinks */
       before = now
     };
     if
     :: at_work == 0 ->
        /* complete; a look after the last change */
        d_step { now = 0;
          for (set : 0 .. ALL) { if :: rows[set] -> count_plays(set, plays); if :: plays > now -> now = plays :: else fi :: else fi };
          set = 0; plays = 0;
          assert(now >= before); assert(archived == ALL && now == N && events == ALL) };
        break
     :: else
     fi
  od
}
