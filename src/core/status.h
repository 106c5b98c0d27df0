/* core/status.h: what every bitune function returns.
 *
 * 0 is success, a positive code a usable outcome that the caller should know of, a negative code an error. The text
 * of an error is kept in the BtContext (core/context.h); the library itself never prints and never exits. */
#ifndef BITUNE_CORE_STATUS_H
#define BITUNE_CORE_STATUS_H

typedef enum {
  BT_OK = 0,

  BT_NOT_CERTIFIED = 1, /* finished, but the accuracy asked for was not proven; the certificate says how far */
  BT_MAX_ITERS = 2,     /* an iteration or work budget ran out                                               */
  BT_STEP_FAILED = 3,   /* no acceptable step exists at the accuracy floor                                    */
  BT_STOPPED = 4,       /* an observer or the stop flag ended the run                                        */

  BT_ERR_ARG = -1,         /* an argument is outside its domain                       */
  BT_ERR_MEMORY = -2,      /* allocation failed                                       */
  BT_ERR_IO = -3,          /* the operating system refused a file operation           */
  BT_ERR_FORMAT = -4,      /* a file's content is not what its format demands         */
  BT_ERR_UNSUPPORTED = -5, /* valid, but not built in or not implemented              */
  BT_ERR_NUMERIC = -6,     /* NaN, infinity or a broken-down iteration                */
  BT_ERR_LIBRARY = -7,     /* PETSc, MPI, TIFF, … reported an error                   */
  BT_ERR_TEAM = -8         /* another process of the team failed or died              */
} BtStatus;

/* English name of a status, static storage; never NULL. */
const char *bt_status_name(BtStatus status);

/* How far a bound may be trusted. A missing constant degrades the kind; nothing is invented. */
typedef enum {
  BT_PROOF_NONE = 0, /* no statement                                                */
  BT_ESTIMATED = 1,  /* computed from an estimate that may be exceeded             */
  BT_PROVEN = 2      /* follows from proven constants, rounding included           */
} BtProof;

/* "none", "estimated" or "proven", static storage. */
const char *bt_proof_name(BtProof proof);

/* The weaker of two kinds of proof. */
BtProof bt_proof_weaker(BtProof a, BtProof b);

/* Leaves a function through its label `done` if `expr` is an error; usable outcomes pass. Needs `BtStatus st`. */
#define BT_TRY(expr)         \
  do {                       \
    st = (expr);             \
    if (st < 0) goto done;   \
  } while (0)

/* The same where usable outcomes, such as BT_STOPPED, leave nothing to go on with. */
#define BT_COMPLETE(expr)        \
  do {                           \
    st = (expr);                 \
    if (st != BT_OK) goto done;  \
  } while (0)

#endif
