/* Logins: refreshes of one account's token by two processes, a new login and a logout beside them.

   Spotify may give a new refresh token at a refresh, and then takes the old one no more; using that is invalid_grant, and
   the login is over. A process may be killed before any step but one: between Spotify's answer and the keeping of the new
   token nothing can help, since Spotify has told nobody else; a kill there may cost the login, which poll then says. Promises:
     no login lost     no refresh is answered with invalid_grant, but for a login that a newer one replaced or a logout ended
     the newest stays  at rest the token that is kept is the one that Spotify takes
     gone is gone      after a logout nothing is kept, until the next login */

#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef REFRESHES
#define REFRESHES 2
#endif
#define NONE 0

/* A token is the number of its consent times sixteen and how often it was refreshed. */
#define CONSENT(token) (token >> 4)
byte taken = 16;      /* the token that Spotify takes */
byte kept = 16;       /* the token that the store keeps; NONE where there is none */
bool is_there = true; /* the account has logged in, and was not removed since */
bool lease;
bool logged_out;      /* the owner has logged out, and not logged in again */
byte crashes = CRASHES;
byte at_work;

#define STEP(does) if :: atomic { does } :: atomic { crashes > 0 -> crashes--; goto killed } fi

proctype Refresh() {
  byte used, got, times;
begin:
  if :: times == REFRESHES -> atomic { at_work--; goto ended } :: else fi;
#ifndef NO_LEASE
  atomic { !lease -> lease = true };
#endif
  STEP(used = kept;);
  if
  :: used == NONE -> goto done
  :: else
  fi;
  STEP(skip;);
  /* One step for Spotify and the answer. */
  atomic {
    if
    :: used == taken -> if :: taken++ :: skip fi; got = taken
    :: else ->
       got = NONE;
       assert(CONSENT(used) != CONSENT(taken) || logged_out)  /* no login lost */
    fi
  };
  if
  :: got == NONE ->
#ifdef DISCARD_WHATEVER_IS_KEPT
     STEP(kept = NONE;)
#else
     STEP(if :: kept == used -> kept = NONE :: else fi;)
#endif
  :: else ->
#ifdef KEEP_WITHOUT_LOOKING
     atomic { kept = got; is_there = true }
#else
     atomic {
       if
       :: is_there && (kept == NONE || CONSENT(kept) <= CONSENT(got)) -> kept = got
       :: else
       fi
     }
#endif
  fi;
done:
  atomic { times++; used = 0; got = 0;
#ifndef NO_LEASE
    lease = false
#endif
  };
  goto begin;
killed:
  atomic { used = 0; got = 0;
#ifndef NO_LEASE
    lease = false
#endif
  };
  goto begin;
ended:
  skip
}

/* The owner: may consent anew, and may log out. */
proctype Owner() {
  byte given;
  if
  :: atomic { taken = 32; given = 32; logged_out = false };
     atomic { if :: kept == NONE || CONSENT(kept) <= CONSENT(given) -> kept = given; is_there = true :: else fi }
  :: skip
  fi;
  if
  :: atomic { is_there = false; kept = NONE; logged_out = true }
  :: skip
  fi;
  at_work--
}

active proctype Rest() {
  atomic { run Refresh(); run Refresh(); run Owner(); at_work = 3 };
  at_work == 0;
  assert(!logged_out || (!is_there && kept == NONE));  /* gone is gone */
  assert(logged_out || kept == taken)                  /* the newest stays */
}
