#include "lowerlevel/operator.h"

void bt_operator_clear(BtOperator *op) {
  if (op->ops) op->ops->destroy(op);
  *op = (BtOperator){0};
}
