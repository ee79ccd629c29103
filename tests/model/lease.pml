/*
 * Grants, epochs, leases, fencing, results and keys of one task; see README.md beside it.
 *
 * One dispatcher, two agents and models. Messages are bits of a pool: once sent, one
 * may arrive late, again, after later ones, or never. The dispatcher decides and commits in one
 * step, but grants, whose keys are asked for while they are stored; what follows from a decision
 * leaves later, and is lost when the process ends in between.
 * Time passes in ticks at any moment, for everybody alike. Nobody has to do anything: an agent that
 * lets time pass and then goes on is one that was stopped and continued.
 *
 * A variant (-DNO_EPOCH_CHECK, ...) leaves one part of the protocol out; each has to fail.
 */
#define AGENTS 2
#ifndef EPOCHS
#define EPOCHS 2            /* Attempts at the task. */
#endif
#ifndef LEASE
#define LEASE 2             /* Ticks. The agent's margin is one: it ends its authority before. */
#endif
#ifndef CRASHES
#define CRASHES 1           /* Of the dispatcher. */
#endif

#define READY 0             /* The task. */
#define RUNNING 1
#define REVIEW 2            /* The rest is in merge.pml. */
#define CANCELLED 3

#define NONE 0              /* An attempt. */
#define OFFERED 1
#define ACTIVE 2
#define REPORTED 3
#define LOST 4              /* Its lease ran out. */
#define ENDED 5             /* Refused, rejected, taken back or cancelled. */

#define LIVE(e) (attempt[e] == OFFERED || attempt[e] == ACTIVE)

/* The dispatcher's database. */
byte task = READY;
byte epoch = 0;
byte attempt[EPOCHS + 1];
byte holder[EPOCHS + 1];
bit stored[EPOCHS + 1];     /* The result is on disk. */
bit key_known[EPOCHS + 1];  /* The key was perhaps made, and is not known to be revoked. */
byte work = 0;              /* The attempt whose change is under review. */

/* Its memory. */
bit up = 1;
byte lease = 0;             /* Of the live attempt. */
byte granting = 0;          /* The agent of a grant that is decided and not on disk: 1 and 2. */
bit has_key;                /* Its key came before that. */
bit out_issue, out_offer;   /* Decided, not sent. */
#ifdef ACK_BEFORE_COMMIT
byte out_receipt = 0;       /* Answered, not stored. */
#define FORGET_UNSTORED out_receipt = 0
#else
#define out_receipt 0
#define FORGET_UNSTORED skip
#endif
byte crashes = CRASHES;

/* Models. */
bit key_open[EPOCHS + 1];
bit marked[EPOCHS + 1];     /* Its keys were ended. */

/* Messages on their way. */
bit issue[EPOCHS + 1];
bit issued[EPOCHS + 1];
byte offer[EPOCHS + 1];     /* To whom it is: 1 and 2. An offer is sent once, on one stream. */
bit result[EPOCHS + 1];
bit receipt[EPOCHS + 1];
bit revoke[EPOCHS + 1];
bit revoked[EPOCHS + 1];

/* Agents. */
byte held[AGENTS];          /* The epoch of what it works on; 0: nothing. */
byte authority[AGENTS];     /* Ticks for which it may go on; 0: frozen. */
bit finished[AGENTS];
bit beat[AGENTS];           /* Its newest beat is on its way... */
byte beat_held[AGENTS];
byte beat_age[AGENTS];      /* ...since so many ticks. */
bit kept[AGENTS];           /* The answer KEEP to it is on its way. */

hidden byte i;

/* An agent has nothing any more. */
inline drop(a) {
  held[a] = 0; finished[a] = 0; beat[a] = 0; beat_held[a] = 0; beat_age[a] = 0; kept[a] = 0;
  authority[a] = 0
}

/* A result is taken: stored with the decision, then answered. */
inline take_result(e) {
#ifdef ACK_BEFORE_COMMIT
  receipt[e] = 1;           /* The rest happens later. */
  out_receipt = e
#else
  attempt[e] = REPORTED;
  stored[e] = 1;
  work = e;
  task = REVIEW;
  lease = 0;
  receipt[e] = 1
#endif
}

inline check() {
  i = 1;
  do
  :: i <= EPOCHS ->
     /* Who was told that the result is taken finds it after any crash. */
     assert(!receipt[i] || stored[i] || (up && out_receipt == i));
     /* A key is closed when the dispatcher believes so; of an epoch that is not on disk nobody has
        it. */
     assert(i > epoch || LIVE(i) || key_known[i] || !key_open[i]);
     i++
  :: else -> break
  od;
  i = 0;
  /* Nobody works at an epoch that is not on disk. */
  assert(held[0] <= epoch && held[AGENTS - 1] <= epoch);
  /* An epoch has one holder. */
  assert(held[0] == 0 || held[0] != held[1]);
  /* The change under review is the newest that was taken. */
  assert(task != REVIEW || work == epoch);
#ifdef REACHES_THE_END
  assert(task != REVIEW || epoch < EPOCHS || crashes > 0 || key_known[1])
#endif
}

init {
  byte a;
  byte e;
  do

  /* Time. */
  :: atomic {
       (lease > 0 || authority[0] > 0 || authority[AGENTS - 1] > 0) ->
       a = 0;
       do
       :: a < AGENTS ->
          if
          :: authority[a] > 0 -> authority[a]--
          :: else
          fi;
          if
          :: beat[a] && beat_age[a] < LEASE -> beat_age[a]++
          :: else
          fi;
          a++
       :: else -> break
       od;
       a = 0;
       if
       :: up && lease > 0 -> lease--
       :: else
       fi
     }

  /* The dispatcher grants. The key is asked for at once, the offer leaves when the epoch that rises
     with it is on disk. */
  :: atomic {
       up && task == READY && !LIVE(epoch) && epoch < EPOCHS && granting == 0 && !out_issue &&
       !out_offer ->
       if
       :: granting = 1
       :: granting = 2
       fi;
       out_issue = 1;
#ifdef GRANT_BEFORE_COMMIT
       offer[epoch + 1] = granting
#endif
     }
  :: atomic {
       up && granting != 0 ->
       epoch++;
       attempt[epoch] = OFFERED;
       holder[epoch] = granting - 1;
       key_known[epoch] = 1;
       granting = 0;
#ifndef GRANT_BEFORE_COMMIT
       out_offer = has_key;
#endif
       has_key = 0
     }
  :: atomic { up && out_issue -> out_issue = 0; issue[epoch + (granting != 0)] = 1 }
  :: atomic {
       issue[1] || issue[EPOCHS] ->
       if
       :: issue[1] -> e = 1
       :: issue[EPOCHS] -> e = EPOCHS
       fi;
       issue[e] = 0;
       if
#ifndef NO_MARK
       :: marked[e]         /* Its keys were ended: it gets none any more. */
       :: !marked[e] ->
#else
       ::
#endif
          key_open[e] = 1; issued[e] = 1
       fi;
       e = 0
     }
  :: atomic {
       up && granting != 0 && issued[epoch + 1] -> issued[epoch + 1] = 0; has_key = 1
     }
  :: atomic {
       up && issued[epoch] -> issued[epoch] = 0;
#ifndef GRANT_BEFORE_COMMIT
       if
       :: attempt[epoch] == OFFERED -> out_offer = 1
       :: else
       fi
#endif
     }
  :: atomic {
       up && out_offer -> out_offer = 0;
       if
       :: attempt[epoch] == OFFERED -> offer[epoch] = holder[epoch] + 1
       :: else
       fi
     }
  /* The offer is not answered in time. */
  :: atomic { up && attempt[epoch] == OFFERED -> attempt[epoch] = ENDED; lease = 0 }
  /* The lease runs out. */
  :: atomic {
       up && attempt[epoch] == ACTIVE && lease == 0 ->
       attempt[epoch] = LOST; lease = 0;
       task = READY
     }
  /* A person takes the task from its agent, or cancels it. */
  :: atomic {
       up && attempt[epoch] == ACTIVE ->
       attempt[epoch] = ENDED; lease = 0;
       if
       :: task = READY
       :: task = CANCELLED
       fi
     }
  /* A beat arrives; it may be an old one. */
  :: atomic {
       up && beat[0] -> a = 0; goto beat_arrives
     }
  :: atomic {
       up && beat[AGENTS - 1] -> a = AGENTS - 1;
beat_arrives:
       e = beat_held[a];
       if
       :: LIVE(e) && holder[e] == a && e == epoch ->
          attempt[e] = ACTIVE;
          task = RUNNING;
          lease = LEASE;
          kept[a] = 1
       /* STOP; what is finished may be handed in all the same. */
       :: else ->
          if
          :: held[a] == e && finished[a] -> result[e] = 1; drop(a)
          :: held[a] == e -> drop(a)
          :: skip           /* Lost on its way. */
          fi
       fi;
       e = 0; a = 0
     }

  /* A result arrives, perhaps late or again. */
  :: atomic {
       up && out_receipt == 0 && (result[1] || result[EPOCHS]) ->
       if
       :: result[1] -> e = 1
       :: result[EPOCHS] -> e = EPOCHS
       fi;
       if
       :: stored[e] -> receipt[e] = 1
#ifdef NO_EPOCH_CHECK
       :: !stored[e] && task != CANCELLED -> take_result(e)
       :: !stored[e] && task == CANCELLED -> skip
#else
       :: !stored[e] && LIVE(e) && e == epoch ->
          assert(e > work);
          take_result(e)
       :: !stored[e] && !(LIVE(e) && e == epoch) -> skip  /* Stale: kept aside, changes nothing. */
#endif
       fi;
       e = 0
     }
#ifdef ACK_BEFORE_COMMIT
  :: atomic {
       up && out_receipt != 0 && !stored[out_receipt] ->
       attempt[out_receipt] = REPORTED; stored[out_receipt] = 1; work = out_receipt;
       task = REVIEW; lease = 0; out_receipt = 0
     }
#endif

  /* The review wants another attempt. */
  :: atomic { up && task == REVIEW -> attempt[work] = ENDED; task = READY }

  /* Keys of attempts that ended: their end is asked for until it is confirmed. */
  :: atomic {
       up && (key_known[1] || key_known[EPOCHS]) ->
       if
       :: key_known[1] -> e = 1
       :: key_known[EPOCHS] -> e = EPOCHS
       fi;
       if
       :: !LIVE(e) && !revoke[e] ->
          revoke[e] = 1;
#ifdef KEY_NOT_REVOKED
          key_known[e] = 0  /* Asked once; nobody looks whether it was done. */
#endif
       :: revoked[e] && !LIVE(e) -> key_known[e] = 0; revoked[e] = 0
       :: else
       fi;
       e = 0
     }
  :: atomic {
       revoke[1] || revoke[EPOCHS] ->
       if
       :: revoke[1] -> e = 1
       :: revoke[EPOCHS] -> e = EPOCHS
       fi;
       revoke[e] = 0;
       if
       :: key_open[e] = 0; marked[e] = 1; revoked[e] = 1
       :: skip              /* Lost on its way. */
       fi;
       e = 0
     }

  /* The dispatcher is killed at any moment, and started. Answers to its calls are lost. */
  :: atomic {
       up && crashes > 0 ->
       crashes--;
       up = 0; lease = 0; granting = 0; has_key = 0; out_issue = 0; out_offer = 0;
       FORGET_UNSTORED;
       e = 1;
       do
       :: e <= EPOCHS -> issued[e] = 0; revoked[e] = 0; e++
       :: else -> break
       od;
       e = 0
     }
  :: atomic {
       !up -> up = 1;
       if
       :: attempt[epoch] == OFFERED -> attempt[epoch] = ENDED
#ifdef LEASE_AS_BEFORE_RESTART
       :: attempt[epoch] == ACTIVE -> lease = 0
#else
       :: attempt[epoch] == ACTIVE -> lease = LEASE + 1  /* A whole term, and grace. */
#endif
       :: else
       fi
     }

  /* Agents. */
  :: atomic {
       if
       :: a = 0
       :: a = AGENTS - 1
       fi;
       if
       /* Takes a grant that is meant for it, perhaps a late one. */
       :: held[a] == 0 && offer[1] == a + 1 -> held[a] = 1; offer[1] = 0
       :: held[a] == 0 && offer[EPOCHS] == a + 1 ->
          held[a] = EPOCHS; offer[EPOCHS] = 0
       /* Beats; the time of its authority counts from here. */
       :: held[a] != 0 && (!beat[a] || kept[a]) ->
          beat[a] = 1; beat_held[a] = held[a]; beat_age[a] = 0; kept[a] = 0
       :: held[a] != 0 && kept[a] && beat_held[a] == held[a] ->
          kept[a] = 0;
          if
          :: LEASE - 1 > beat_age[a] && LEASE - 1 - beat_age[a] > authority[a] ->
             authority[a] = LEASE - 1 - beat_age[a]
          :: else
          fi
       /* Works: asks a model. Nobody's lease may have run out. */
#ifdef NO_SELF_FENCING
       :: held[a] != 0 && !finished[a] && attempt[held[a]] != OFFERED ->
#else
       :: held[a] != 0 && !finished[a] && authority[a] > 0 ->
#endif
          assert(attempt[held[a]] != LOST);
          if
          :: finished[a] = 1
          :: skip
          fi
       /* Hands in; nothing but the dispatcher stands against a late result. */
       :: held[a] != 0 && finished[a] -> result[held[a]] = 1
       :: held[a] != 0 && finished[a] && receipt[held[a]] -> drop(a)
       /* Dies. */
       :: held[a] != 0 -> drop(a)
       :: else
       fi;
       a = 0
     }

  :: d_step { check(); i = 0 }
  od
}
