/* Blocks of threads as fibers: a thread that waits at a barrier leaves its stack and another goes on on a
 * stack of its own; a thread that ends leaves its stack to the next. Kernels without barriers so need no
 * switch at all. */
#include <cuda_runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include <deque>
#include <memory>
#include <vector>

#include "emulation.h"

#define STACK_BYTES (128 << 10)

dim3 gridDim, blockDim, blockIdx, threadIdx;

namespace {

struct Fiber {
  ucontext_t context;
  std::unique_ptr<char[]> stack;
};

/* A thread that has not begun (fiber NULL), or one that waits. */
struct Thread {
  unsigned index;
  Fiber *fiber;
};

EmulationOrder order = EMULATION_ASCENDING;

struct Block {
  const std::function<void()> *body;
  std::deque<Thread> ready;
  std::vector<Thread> waiting;
  size_t ended;
  int any[2], phase; /* results of __syncthreads_or, by phase */
  ucontext_t caller;
  Fiber *current;
} block;

std::vector<std::unique_ptr<Fiber>> all_fibers;
std::vector<Fiber *> free_fibers;

template <typename T>
void arrange(std::vector<T> &items) {
  static unsigned state = 1;
  const size_t n = items.size();
  if (order == EMULATION_DESCENDING)
    for (size_t i = 0; i < n / 2; i++) std::swap(items[i], items[n - 1 - i]);
  if (order == EMULATION_SHUFFLED)
    for (size_t i = n; i > 1; i--) {
      state = state * 1664525u + 1013904223u;
      std::swap(items[i - 1], items[(state >> 8) % i]);
    }
}

void fiber_main(void);

void prepare(Fiber *fiber) {
  if (getcontext(&fiber->context) != 0) abort();
  fiber->context.uc_stack.ss_sp = fiber->stack.get();
  fiber->context.uc_stack.ss_size = STACK_BYTES;
  fiber->context.uc_link = NULL;
  makecontext(&fiber->context, fiber_main, 0);
}

Fiber *new_fiber(void) {
  if (free_fibers.empty()) {
    all_fibers.push_back(std::make_unique<Fiber>());
    all_fibers.back()->stack.reset(new char[STACK_BYTES]);
    prepare(all_fibers.back().get());
    return all_fibers.back().get();
  }
  Fiber *fiber = free_fibers.back();
  free_fibers.pop_back();
  return fiber;
}

void switch_to(ucontext_t *from, Fiber *to) {
  block.current = to;
  if (swapcontext(from, &to->context) != 0) abort();
}

/* Once nothing is ready: opens the barrier if all threads of the block have come to it. */
void open_barrier(void) {
  if (block.waiting.empty()) return;
  if (block.ended > 0) {
    fprintf(stderr, "emulation: %zu threads ended while others wait at a barrier\n", block.ended);
    abort();
  }
  arrange(block.waiting);
  block.ready.assign(block.waiting.begin(), block.waiting.end());
  block.waiting.clear();
  block.any[++block.phase & 1] = 0;
}

/* Runs threads until there are none; then the fiber is free for another block. */
void fiber_main(void) {
  for (;;) {
    Fiber *self = block.current;
    if (block.ready.empty()) open_barrier();
    if (block.ready.empty()) {
      free_fibers.push_back(self);
      if (swapcontext(&self->context, &block.caller) != 0) abort();
      continue;
    }
    const Thread next = block.ready.front();
    block.ready.pop_front();
    threadIdx.x = next.index;
    if (next.fiber) {
      free_fibers.push_back(self);
      switch_to(&self->context, next.fiber);
    } else {
      (*block.body)();
      block.ended++;
    }
  }
}

}  // namespace

void __syncthreads(void) {
  Fiber *self = block.current;
  block.waiting.push_back({threadIdx.x, self});
  if (block.ready.empty()) open_barrier();
  const Thread next = block.ready.front();
  Fiber *to = next.fiber;
  if (to) {
    block.ready.pop_front();
    threadIdx.x = next.index;
  } else {
    to = new_fiber();
  }
  if (to == self) return;
  switch_to(&self->context, to);
}

int __syncthreads_or(int condition) {
  const int phase = block.phase & 1;
  block.any[phase] |= condition != 0;
  __syncthreads();
  return block.any[phase];
}

void emulate_kernel(dim3 grid, unsigned threads, const std::function<void()> &body) {
  if (grid.x == 0 || grid.y == 0 || grid.z != 1 || grid.y > 65535 || threads > 1024) {
    fprintf(stderr, "emulation: grid %u x %u x %u of %u threads\n", grid.x, grid.y, grid.z, threads);
    abort();
  }
  std::vector<unsigned> blocks((size_t)grid.x * grid.y);
  for (size_t i = 0; i < blocks.size(); i++) blocks[i] = (unsigned)i;
  arrange(blocks);
  gridDim = grid;
  blockDim = dim3(threads);
  emulate_access(true);
  for (const unsigned b : blocks) {
    std::vector<Thread> all(threads);
    blockIdx = dim3(b % grid.x, b / grid.x, 0);
    for (unsigned t = 0; t < threads; t++) all[t] = {t, NULL};
    arrange(all);
    block.body = &body;
    block.ready.assign(all.begin(), all.end());
    block.ended = 0;
    block.any[0] = block.any[1] = block.phase = 0;
    switch_to(&block.caller, new_fiber());
  }
  emulate_access(false);
}

void emulation_order(EmulationOrder wanted) { order = wanted; }
