/* apps/learn/learned.h: what every learning command records of its result. */
#ifndef BITUNE_APPS_LEARNED_H
#define BITUNE_APPS_LEARNED_H

#include "learn/method.h"
#include "program/app.h"

/* Result fields: `value` as loss, loss_bounds, loss_bound, certificate; of the method's state the hypergradient, theta
 * (up to 64 parameters; larger models are in the model file alone), iterations, seconds, whether and why it ended;
 * `work`; program and settings. */
void bt_learned_record(BtApp *app, const BtInexactValue *value, const BtMethodState *state, const double *theta,
                       const BtWork *work, const char *reason);

/* "converged after 4 outer iterations, 269 lower-level products, 0.1 s" */
void bt_learned_tell(BtApp *app, const BtMethodState *state, const BtWork *work, const char *reason);

#endif
