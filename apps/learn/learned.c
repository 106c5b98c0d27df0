#include "learn/learned.h"

#include "core/json.h"
#include "program/version.h"

static const size_t most_listed = 64;

void bt_learned_record(BtApp *app, const BtInexactValue *value, const BtMethodState *state,
                       const double *theta, const BtWork *work, const char *reason) {
  bt_app_put_real(app, "loss", value->value);
  bt_app_put(app, "loss_bounds", bt_json_reals((double[]){value->lower, value->upper}, 2));
  bt_app_put_real(app, "loss_bound", value->upper);
  bt_app_put_text(app, "certificate", bt_proof_name(value->proof));
  bt_app_put_real(app, "gradient_norm", state->gradient->norm);
  bt_app_put_real(app, "gradient_bound", state->gradient->bound);
  bt_app_put_int(app, "parameters", (int64_t)state->p);
  if (state->p <= most_listed) bt_app_put(app, "theta", bt_json_reals(theta, state->p));
  bt_app_put_int(app, "outer_iterations", state->iteration);
  bt_app_put_int(app, "lower_iterations", bt_work_total(work));
  bt_app_put_int(app, "lower_gradients", work->gradients);
  bt_app_put_int(app, "hessian_products", work->hessian_products);
  bt_app_put_int(app, "hypergradients", work->hypergradients);
  bt_app_put_real(app, "seconds", state->seconds);
  bt_app_put(app, "converged", json_boolean(state->converged));
  bt_app_put_text(app, "reason", reason);
  bt_app_put_text(app, "bitune", bt_version_text());
  bt_app_put(app, "settings", bt_app_settings_json(app));
}

void bt_learned_tell(BtApp *app, const BtMethodState *state, const BtWork *work, const char *reason) {
  bt_app_print(app, "%s after %lld outer iterations, %lld lower-level products, %.1f s\n", reason,
               (long long)state->iteration, (long long)bt_work_total(work), state->seconds);
}
