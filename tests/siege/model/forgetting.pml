/* A forgetting beside a writer (a stream, a poll, an import) and a rebuild.

   Time goes in ticks. A mark is written SETTLED before the instant up to which it forgets; the forgetting waits for that
   instant before it lists the files. A writer may go on with plays that he holds for as long as he likes, but uses no marks
   that he read longer than LATELY ago, and then writes a file within WRITING. Any process may be killed before any step;
   a forgetting that was is run again. Promise:
     nothing comes back   when the forgetting has ended, neither archive nor tables have, or will get, a play of the person
                          that was ingested up to the instant */

#define LATELY 1
#define WRITING 1
#ifdef SETTLED_TOO_SHORT
#define SETTLED 1
#else
#define SETTLED 3
#endif
#define LATEST 3         /* nobody begins from this tick on */
#define END 7            /* the last tick */
#define NEVER 15
#ifndef CRASHES
#define CRASHES 1
#endif

byte now;
byte mark;              /* the instant up to which the person is forgotten; 0 where there is no mark */
byte archived = 1;      /* instants at which plays in the archive were ingested, as bits: one play of instant 0 is there */
byte shown = 1;         /* the same of the tables */
byte due[2] = NEVER;    /* the tick by which a file that a writer has begun is there */
byte crashes = CRASHES;
bool alone;             /* the warehouse's lock, of rebuilds and forgettings */
bool is_forgotten;      /* the forgetting has ended */

#define UP_TO(instant) ((2 << instant) - 1)
#define STEP(does) if :: atomic { does } :: atomic { crashes > 0 -> crashes--; goto killed } fi

proctype Clock() {
  do
  :: atomic { now < END && now < due[0] && now < due[1] -> now++ }
  :: now == END -> break
  od
}

/* Takes one play at any time, perhaps holds it, and writes it if it does not stay out. */
proctype Writer(byte me) {
  byte ingested, read_at, known;
end_too_late:
  atomic { now < LATEST -> ingested = now };
  atomic { read_at = now; known = mark };
  do
  :: now < END  /* holds it */
#ifndef MARKS_READ_ONCE
  :: atomic { read_at < now -> read_at = now; known = mark }
#endif
  :: atomic {
#ifndef MARKS_READ_ONCE
       now - read_at <= LATELY ->
#endif
       if
       :: known && ingested <= known -> goto ended
       :: else -> due[me] = now + WRITING; break
       fi
     }
  od;
  if
  :: atomic { archived = archived | (1 << ingested); due[me] = NEVER }
  :: atomic { crashes > 0 -> crashes--; due[me] = NEVER }
  fi;
ended:
  skip
}

/* Reads what the archive has, makes the tables from it. */
proctype Rebuild() {
  byte files;
begin:
#ifndef NO_LOCK
  atomic { !alone -> alone = true };
#endif
  STEP(files = archived;);
  STEP(shown = files;);
killed:
  atomic { files = 0;
#ifndef NO_LOCK
    alone = false
#endif
  }
}

proctype Forget() {
  byte files, mine;
  bool holds;
begin:
end_too_late:  /* whoever runs it does so in this model's time */
  STEP(now < LATEST; mark = now + SETTLED; mine = mark;);
#ifndef NO_WAIT
  now >= mine;
#endif
  STEP(files = archived;);
  STEP(archived = archived & ~(files & UP_TO(mine)););
#ifndef NO_LOCK
  atomic { !alone -> alone = true; holds = true };
#endif
  STEP(shown = shown & ~UP_TO(mine););
  atomic { is_forgotten = true;
#ifndef NO_LOCK
    alone = false
#endif
  };
  goto ended;
killed:
  atomic { files = 0; mine = 0; alone = alone && !holds; holds = false };
  goto begin;
ended:
  skip
}

active proctype Reader() {
  atomic { run Clock(); run Writer(0); run Writer(1); run Rebuild(); run Forget() };
  do
  :: d_step { is_forgotten -> assert((archived & UP_TO(mark)) == 0 && (shown & UP_TO(mark)) == 0) }
  :: now == END -> break
  od
}
