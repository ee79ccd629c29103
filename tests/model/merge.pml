/*
 * From a taken result to the branch: candidates, compare-and-swap, intents, crashes; see README.md
 * beside it.
 *
 * One task with up to EPOCHS changes, and a neighbour, another task whose change is bit 0 of the
 * branch. The branch is the set of changes on it; a candidate is made for what the branch was, and
 * landing it makes the branch what the candidate says. Answers may be lost or late, calls come again.
 *
 * A variant (-DNO_INTENT, ...) leaves one part of the protocol out; each has to fail.
 */
#ifndef EPOCHS
#define EPOCHS 2
#endif
#ifndef CRASHES
#define CRASHES 2           /* Of the dispatcher, and of the reviewer. */
#endif

#define RUNNING 0           /* The task. */
#define INSPECTING 1
#define MERGING 2
#define MERGED 3
#define CANCELLED 4

#define BIT(e) (1 << (e))
#define HAS(set, e) (((set) >> (e)) & 1)

/* The dispatcher's database. */
byte task = RUNNING;
byte epoch = 1;
byte work = 0;              /* The attempt whose change is under review. */
byte candidate = 0;         /* Its candidate: what the branch was, plus one; 0: none. */
bit taken[EPOCHS + 1];

bit up = 1;
byte crashes = CRASHES;
bit merging = 0;            /* A call to Merge is under way. */

/* On their way. */
bit asked[EPOCHS + 1];      /* CreateCandidate. */
byte made[EPOCHS + 1];      /* Its answer, as `candidate`. */
byte asked_merge[EPOCHS + 1];  /* Merge of the candidate. */
bit merged[EPOCHS + 1];
byte branch_moved[EPOCHS + 1];  /* BRANCH_MOVED to the call for this candidate. */

/* The reviewer: its database, the branch, and where it is. */
bit reviewer_up = 1;
byte reviewer_crashes = CRASHES;
byte branch = 0;
byte rows = 0;              /* Changes of which it knows that they landed. */
byte intent[EPOCHS + 1];    /* The candidate that it lands, as `candidate`. */
byte landing = 0;           /* The epoch of the change that it lands now. */
byte landing_on = 0;
bit moved = 0;
byte own = 0;               /* Landings of this task's changes. */

bit neighbour = 0;          /* Somebody else's change was landed. */

init {
  byte e;
  do

  /* The agent of an attempt hands in; a late one, too. */
  :: atomic {
       up ->
       if
       :: e = 1
       :: e = EPOCHS
       fi;
       if
#ifdef NO_EPOCH_CHECK
       :: !taken[e] && e <= epoch && task < MERGED ->
#else
       :: !taken[e] && e == epoch && task == RUNNING ->
#endif
          taken[e] = 1; work = e; candidate = 0; task = INSPECTING
       :: else
       fi;
       e = 0
     }
  /* Its lease runs out; or the review wants another attempt, before anything was asked to merge. */
  :: atomic { up && task == RUNNING && epoch < EPOCHS -> epoch++ }
  :: atomic {
       up && task == INSPECTING && epoch < EPOCHS && asked_merge[work] == 0 ->
       epoch++; work = 0; candidate = 0; task = RUNNING
     }
  :: atomic { up && (task == RUNNING || task == INSPECTING) -> task = CANCELLED }

  :: atomic { up && task == INSPECTING && !asked[work] -> asked[work] = 1 }
  :: atomic {
       reviewer_up && landing == 0 && (asked[1] || asked[EPOCHS]) ->
       if
       :: asked[1] -> e = 1
       :: asked[EPOCHS] -> e = EPOCHS
       fi;
       asked[e] = 0;
       if
       :: HAS(rows, e) -> merged[e] = 1
       :: !HAS(rows, e) -> made[e] = branch + 1
       fi;
       e = 0
     }
  :: atomic {
       up && task == INSPECTING && made[work] != 0 ->
       candidate = made[work]; made[work] = 0; task = MERGING
     }

  :: atomic { up && task == MERGING && !merging -> merging = 1; asked_merge[work] = candidate }
  :: atomic { up && merging -> merging = 0 }  /* No answer came in time. */
  :: atomic {
       up && (task == MERGING || task == INSPECTING) && merged[work] ->
       task = MERGED; merging = 0
     }
  :: atomic {
#ifdef ANY_ANSWER
       up && task == MERGING && branch_moved[work] != 0 ->
#else
       up && task == MERGING && branch_moved[work] == candidate ->
#endif
       branch_moved[work] = 0; merging = 0; candidate = 0; task = INSPECTING
     }
  :: atomic { up && task == MERGING -> task = CANCELLED; merging = 0 }

  :: atomic { up && crashes > 0 -> crashes--; up = 0; merging = 0 }
  :: atomic { !up -> up = 1 }

  /* The reviewer is asked to merge. */
  :: atomic {
       reviewer_up && landing == 0 && (asked_merge[1] != 0 || asked_merge[EPOCHS] != 0) ->
       if
       :: asked_merge[1] != 0 -> e = 1
       :: asked_merge[EPOCHS] != 0 -> e = EPOCHS
       fi;
       if
       :: HAS(rows, e) -> merged[e] = 1
       :: !HAS(rows, e) && branch != asked_merge[e] - 1 ->
          if
#ifndef NO_LOOK_AT_BRANCH
          :: HAS(branch, e) -> rows = rows | BIT(e); merged[e] = 1
          :: !HAS(branch, e) -> branch_moved[e] = asked_merge[e]
#else
          :: branch_moved[e] = asked_merge[e]
#endif
          fi
       :: !HAS(rows, e) && branch == asked_merge[e] - 1 ->
          landing = e; landing_on = branch;
#ifndef NO_INTENT
          intent[e] = asked_merge[e]
#endif
       fi;
       if
       :: asked_merge[e] = 0
       :: skip              /* It comes again. */
       fi;
       e = 0
     }
  /* Somebody else moves the branch at any moment. */
  :: atomic { !neighbour -> branch = branch | BIT(0); neighbour = 1 }
  :: atomic {
       reviewer_up && landing != 0 && !moved ->
       if
#ifndef NO_COMPARE
       :: branch != landing_on ->
          branch_moved[landing] = landing_on + 1; intent[landing] = 0; landing = 0; landing_on = 0
       :: branch == landing_on ->
#else
       ::
#endif
          moved = 1;
          branch = landing_on | BIT(landing);
          own++
       fi
     }
  :: atomic {
       reviewer_up && landing != 0 && moved ->
       rows = rows | BIT(landing); intent[landing] = 0; merged[landing] = 1;
       landing = 0; landing_on = 0; moved = 0
     }
  :: atomic {
       reviewer_up && reviewer_crashes > 0 ->
       reviewer_crashes--; reviewer_up = 0; landing = 0; landing_on = 0; moved = 0
     }
  /* It starts: what it was about to do is done, was done, or cannot be done any more. */
  :: atomic {
       !reviewer_up ->
       e = 1;
       do
       :: e <= EPOCHS ->
          if
          :: intent[e] != 0 && branch == intent[e] - 1 ->
             branch = branch | BIT(e); own++; rows = rows | BIT(e)
#ifndef NO_LOOK_AT_BRANCH
          :: intent[e] != 0 && branch != intent[e] - 1 && HAS(branch, e) ->
             rows = rows | BIT(e)
#endif
          :: else
          fi;
          intent[e] = 0;
          e++
       :: else -> break
       od;
       e = 0;
       reviewer_up = 1
     }

  :: d_step {
       /* At most one change of the task lands, once. */
       assert(own <= 1);
       /* A reviewer that is up and not landing knows what is on its branch, and that alone. */
       assert(!reviewer_up || landing != 0 || rows == (branch & ~BIT(0)));
       /* The dispatcher calls merged what is on the branch. */
       assert(task != MERGED || HAS(branch, work));
       /* Nobody's landing is undone. */
       assert(HAS(branch, 0) || !neighbour);
#ifdef REACHES_THE_END
       assert(task != MERGED || epoch < EPOCHS || !neighbour || crashes > 0 ||
              reviewer_crashes > 0)
#endif
     }
  od
}
