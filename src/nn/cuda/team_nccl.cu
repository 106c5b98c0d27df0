/* A team of GPUs: libbitune_nccl.so. */
#include <cuda_runtime.h>
#include <nccl.h>
#include <stdint.h>
#include <stdlib.h>

extern "C" {
#include "nn/team_nccl.h"

NnNcclTeam nn_nccl_team;
}

#define PIECE ((size_t)1 << 22) /* numbers of each item that travel at a time: bounds the memory on the device */
#define THREADS 256
#define MAX_BLOCKS 4096

typedef struct {
  BtTeam *base;
  int device;
  ncclComm_t comm;
  cudaStream_t stream;
  char *mine, *segments; /* [owned × size × length] and [items × length] numbers of the device */
  double *sum, *total;   /* [length] and [size × length]                                       */
  size_t length, items;  /* what they have room for                                            */
} Nccl;

static BtStatus cuda_status(BtContext *ctx, cudaError_t error, const char *what) {
  if (error == cudaSuccess) return BT_OK;
  return bt_fail(ctx, BT_ERR_LIBRARY, "CUDA error in %s: %s", what, cudaGetErrorString(error));
}

static BtStatus nccl_status(BtContext *ctx, ncclResult_t result, const char *what) {
  if (result == ncclSuccess) return BT_OK;
  return bt_fail(ctx, BT_ERR_LIBRARY, "NCCL error in %s: %s", what, ncclGetErrorString(result));
}

#define CUDA(call) BT_TRY(cuda_status(ctx, (call), #call))
#define NCCL(call) BT_TRY(nccl_status(ctx, (call), #call))

template <typename Number>
static __global__ void add_items_kernel(size_t items, size_t length, const Number *segments, double *sum) {
  const size_t stride = (size_t)gridDim.x * blockDim.x;
  for (size_t k = (size_t)blockIdx.x * blockDim.x + threadIdx.x; k < length; k += stride) {
    double total = -0.0;
    for (size_t i = 0; i < items; i++) total += (double)segments[i * length + k];
    sum[k] = total;
  }
}

static void release(Nccl *n) {
  (void)cudaFree(n->mine);
  (void)cudaFree(n->segments);
  (void)cudaFree(n->sum);
  (void)cudaFree(n->total);
  n->mine = n->segments = NULL;
  n->sum = n->total = NULL;
  n->length = n->items = 0;
}

/* Room for segments of `length` numbers of all items, in double precision whatever they are. */
static BtStatus reserve(BtContext *ctx, Nccl *n, size_t owned, size_t items, size_t length) {
  const size_t size = (size_t)n->base->size;
  BtStatus st = BT_OK;
  if (length <= n->length && items <= n->items) return BT_OK;
  release(n);
  CUDA(cudaMalloc((void **)&n->mine, owned * size * length * sizeof(double) + 1));
  CUDA(cudaMalloc((void **)&n->segments, items * length * sizeof(double)));
  CUDA(cudaMalloc((void **)&n->sum, length * sizeof(double)));
  CUDA(cudaMalloc((void **)&n->total, size * length * sizeof(double)));
  n->length = length;
  n->items = items;
done:
  return st;
}

/* Each rank's segment of `length` numbers of all items to it; a pair's messages come in the order of the items. */
static BtStatus exchange(BtContext *ctx, Nccl *n, const BtTeamItems *items, size_t length) {
  const size_t size = (size_t)n->base->size, owned = bt_team_owned(n->base, items->items),
               bytes = items->single ? sizeof(float) : sizeof(double);
  const ncclDataType_t type = items->single ? ncclFloat : ncclDouble;
  BtStatus st = BT_OK;
  NCCL(ncclGroupStart());
  for (size_t r = 0; r < size; r++)
    for (size_t i = 0; i < owned; i++)
      NCCL(ncclSend(n->mine + (i * size + r) * length * bytes, length, type, (int)r, n->comm, n->stream));
  for (size_t i = 0; i < items->items; i++)
    NCCL(ncclRecv(n->segments + i * length * bytes, length, type, (int)(i % size), n->comm, n->stream));
  NCCL(ncclGroupEnd());
done:
  return st;
}

static BtStatus add_piece(BtContext *ctx, Nccl *n, const BtTeamItems *items, size_t at, size_t m, double *total) {
  const size_t size = (size_t)n->base->size, owned = bt_team_owned(n->base, items->items),
               bytes = items->single ? sizeof(float) : sizeof(double), length = (m + size - 1) / size;
  const size_t blocks = (length + THREADS - 1) / THREADS;
  const unsigned grid = (unsigned)(blocks < MAX_BLOCKS ? blocks : MAX_BLOCKS);
  BtStatus st = BT_OK;
  /* The ends of last segments are zeros that nobody reads. */
  CUDA(cudaMemsetAsync(n->mine, 0, owned * size * length * bytes, n->stream));
  for (size_t i = 0; i < owned; i++)
    CUDA(cudaMemcpyAsync(n->mine + i * size * length * bytes, (const char *)items->mine + (i * items->n + at) * bytes,
                         m * bytes, cudaMemcpyHostToDevice, n->stream));
  BT_TRY(exchange(ctx, n, items, length));
  if (items->single)
    add_items_kernel<<<grid, THREADS, 0, n->stream>>>(items->items, length, (const float *)n->segments, n->sum);
  else
    add_items_kernel<<<grid, THREADS, 0, n->stream>>>(items->items, length, (const double *)n->segments, n->sum);
  CUDA(cudaGetLastError());
  NCCL(ncclAllGather(n->sum, n->total, length, ncclDouble, n->comm, n->stream));
  CUDA(cudaMemcpyAsync(total, n->total, m * sizeof *total, cudaMemcpyDeviceToHost, n->stream));
  CUDA(cudaStreamSynchronize(n->stream));
done:
  return st;
}

static BtStatus nccl_sum_items(BtTeam *team, BtContext *ctx, const BtTeamItems *items, double *total) {
  Nccl *n = (Nccl *)team->data;
  const size_t size = (size_t)team->size, most = items->n < PIECE ? items->n : PIECE;
  double here = 0;
  BtStatus st = BT_OK;
  /* NCCL would wait for a rank that has died. */
  BT_TRY(n->base->sum(n->base, ctx, &here, 1));
  CUDA(cudaSetDevice(n->device));
  if (items->n == 0) return BT_OK;
  BT_TRY(reserve(ctx, n, bt_team_owned(n->base, items->items), items->items, (most + size - 1) / size));
  for (size_t at = 0; at < items->n; at += PIECE)
    BT_TRY(add_piece(ctx, n, items, at, items->n - at < PIECE ? items->n - at : PIECE, total + at));
done:
  return st;
}

static BtStatus nccl_sum(BtTeam *team, BtContext *ctx, double *buffer, size_t n) {
  BtTeam *base = ((Nccl *)team->data)->base;
  return base->sum(base, ctx, buffer, n);
}

static void nccl_destroy(BtTeam *team) {
  Nccl *n = (Nccl *)team->data;
  if (!n) return;
  release(n);
  if (n->comm) (void)ncclCommDestroy(n->comm);
  if (n->stream) (void)cudaStreamDestroy(n->stream);
  free(n);
  team->data = NULL;
}

/* The name by which ranks find each other, from rank 0 byte by byte in a sum. */
static BtStatus share_id(BtContext *ctx, BtTeam *base, ncclUniqueId *id) {
  double bytes[NCCL_UNIQUE_ID_BYTES] = {0};
  BtStatus st = base->rank == 0 ? nccl_status(ctx, ncclGetUniqueId(id), "ncclGetUniqueId") : BT_OK;
  st = bt_team_agree(base, ctx, st);
  for (int i = 0; i < NCCL_UNIQUE_ID_BYTES && base->rank == 0; i++) bytes[i] = (unsigned char)id->internal[i];
  if (st == BT_OK) st = base->sum(base, ctx, bytes, NCCL_UNIQUE_ID_BYTES);
  for (int i = 0; i < NCCL_UNIQUE_ID_BYTES; i++) id->internal[i] = (char)(unsigned char)bytes[i];
  return st;
}

BtStatus nn_nccl_team(BtContext *ctx, BtTeam *base, int device, BtTeam *team) {
  ncclUniqueId id;
  BtStatus st = BT_OK;
  Nccl *n = (Nccl *)calloc(1, sizeof *n);
  team->rank = base->rank;
  team->size = base->size;
  team->sum = nccl_sum;
  team->sum_items = nccl_sum_items;
  team->destroy = nccl_destroy;
  team->data = n;
  if (!n) st = bt_fail_memory(ctx, "a team of GPUs", sizeof *n);
  if (n) n->base = base;
  if (n) n->device = device;
  if (st == BT_OK) st = cuda_status(ctx, cudaSetDevice(device), "cudaSetDevice");
  if (st == BT_OK) st = cuda_status(ctx, cudaStreamCreate(&n->stream), "cudaStreamCreate");
  st = bt_team_agree(base, ctx, st);
  if (st == BT_OK) st = share_id(ctx, base, &id);
  if (st == BT_OK) {
    st = nccl_status(ctx, ncclCommInitRank(&n->comm, base->size, id, base->rank), "ncclCommInitRank");
    st = bt_team_agree(base, ctx, st);
  }
  if (st != BT_OK) nccl_destroy(team);
  return st;
}
