/* Size small: polls that move a cursor, and rebuilds of the months that changed, on one archive.

   Plays are heard one after another, 0 to HEARD - 1; even ones are of one month, odd ones of the other. Spotify lists the
   last LISTED of them. Two polls may run at once, and two rebuilds, and any may be killed before any step. Promises:
     no play skipped   the cursor is never past a play that is not in the archive
     complete          after the last poll and the next rebuild the tables have every play that was heard */

#ifndef HEARD
#define HEARD 3
#endif
#define LISTED 2
#define ALL ((1 << HEARD) - 1)
#ifndef CRASHES
#define CRASHES 2
#endif
#define MONTH(number) ((number & 1) -> 42 : 21)  /* the plays of a month, as bits; for up to six plays */

byte heard;             /* how many plays were heard */
byte cursor;            /* the first play that no poll has to publish any more */
byte archived;          /* plays in files of the archive, each a file of its own */
byte tables;            /* plays that the tables show */
byte noted[2];          /* from which files each month's tables were made, as the manifest has it */
byte crashes = CRASHES;
byte at_work;
bool alone;

#define STEP(does) if :: atomic { does } :: atomic { crashes > 0 -> crashes--; goto killed } fi

/* A listener who is polled often enough: never more than LISTED plays between two polls. */
proctype Listener() {
  do
  :: atomic { heard < HEARD && heard - cursor < LISTED -> heard++ }
  :: heard == HEARD -> break
  od
}

proctype Poll() {
  byte listed, from;
begin:
  atomic { from = cursor; listed = heard };  /* the cursor, then the list: what is heard later is the next poll's */
  if :: listed > from ->
#ifdef CURSOR_BEFORE_ARCHIVE
    STEP(if :: listed > cursor -> cursor = listed :: else fi;);
#endif
    STEP(archived = archived | ((1 << listed) - 1 - ((1 << from) - 1)););
#ifndef CURSOR_BEFORE_ARCHIVE
    STEP(if :: listed > cursor -> cursor = listed :: else fi;)
#endif
  :: else
  fi;
  if
  :: atomic { cursor == HEARD -> at_work--; goto ended }
  :: cursor < HEARD -> goto begin
  fi;
killed:
  atomic { listed = 0; from = 0 };
  goto begin;
ended:
  skip
}

/* Makes the months that changed; the last one begins when the polls have ended. */
proctype Rebuild(bool last) {
  byte files, changed, month, made;
begin:
  atomic { !alone && (!last || at_work == 0) -> alone = true };
  STEP(files = archived;);
  atomic {
    changed = 0;
    for (month : 0 .. 1) { if :: (files & MONTH(month)) != noted[month] -> changed = changed | (1 << month) :: else fi };
    month = 0
  };
  do
  :: month < 2 && (changed & (1 << month)) ->
     made = files & MONTH(month);
     STEP(tables = (tables & ~MONTH(month)) | made;);
#ifdef NOTED_FROM_A_LATER_LIST
     STEP(noted[month] = archived & MONTH(month););
#else
     STEP(noted[month] = made;);
#endif
     month++
  :: month < 2 && !(changed & (1 << month)) -> month++
  :: month == 2 -> break
  od;
  atomic { alone = false; goto ended };
killed:
  atomic { alone = false; files = 0; changed = 0; month = 0; made = 0 };
  goto begin;
ended:
  if :: last -> atomic { assert(heard == HEARD && archived == ALL && tables == ALL) } :: else fi
}

active proctype Reader() {
  byte before;
  atomic { run Listener(); run Poll(); run Poll(); at_work = 2; run Rebuild(false); run Rebuild(true) };
  do
  :: d_step {
       assert((((1 << cursor) - 1) & ~archived) == 0);  /* no play skipped */
       assert((before & ~tables) == 0);                 /* what was shown stays */
       before = tables
     };
     if :: tables == ALL -> break :: else fi
  od
}
