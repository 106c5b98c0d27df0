#include "core/status.h"

const char *bt_status_name(BtStatus status) {
  switch (status) {
    case BT_OK: return "ok";
    case BT_NOT_CERTIFIED: return "not certified";
    case BT_MAX_ITERS: return "iteration limit reached";
    case BT_STEP_FAILED: return "no acceptable step";
    case BT_STOPPED: return "stopped";
    case BT_ERR_ARG: return "invalid argument";
    case BT_ERR_MEMORY: return "out of memory";
    case BT_ERR_IO: return "input/output error";
    case BT_ERR_FORMAT: return "malformed file";
    case BT_ERR_UNSUPPORTED: return "not supported";
    case BT_ERR_NUMERIC: return "numerical failure";
    case BT_ERR_LIBRARY: return "library error";
    case BT_ERR_TEAM: return "another process failed";
  }
  return "unknown status";
}

const char *bt_proof_name(BtProof proof) {
  switch (proof) {
    case BT_PROVEN: return "proven";
    case BT_ESTIMATED: return "estimated";
    case BT_PROOF_NONE: break;
  }
  return "none";
}

BtProof bt_proof_weaker(BtProof a, BtProof b) { return a < b ? a : b; }
