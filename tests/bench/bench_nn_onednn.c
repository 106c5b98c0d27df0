/* oneDNN 2.x by its C interface. */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_nn.h"

#define CHECK(call)                                                   \
  do {                                                                \
    const dnnl_status_t status = (call);                              \
    if (status != dnnl_success) {                                     \
      fprintf(stderr, "oneDNN: %s: status %d\n", #call, (int)status); \
      exit(1);                                                        \
    }                                                                 \
  } while (0)

typedef struct {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
} Device;

/* Memory in the layout that a primitive asks for. */
static dnnl_memory_t memory_for(Device d, const_dnnl_primitive_desc_t pd, dnnl_query_t query) {
  dnnl_memory_t memory;
  void *data;
  const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, query, 0);
  CHECK(dnnl_memory_create(&memory, md, d.engine, DNNL_MEMORY_ALLOCATE));
  CHECK(dnnl_memory_get_data_handle(memory, &data));
  float *x = data;
  for (size_t i = 0; i < dnnl_memory_desc_get_size(md) / sizeof *x; i++) x[i] = (float)(i % 7) * 0.1f;
  return memory;
}

static double run(Device d, const_dnnl_primitive_desc_t pd, const dnnl_query_t *queries, const int *args) {
  dnnl_primitive_t primitive;
  dnnl_exec_arg_t list[3];
  double best = 1e9;
  CHECK(dnnl_primitive_create(&primitive, pd));
  for (int i = 0; i < 3; i++) list[i] = (dnnl_exec_arg_t){args[i], memory_for(d, pd, queries[i])};
  for (int i = 0; i < 15; i++) {
    const double start = bench_seconds();
    CHECK(dnnl_primitive_execute(primitive, d.stream, 3, list));
    CHECK(dnnl_stream_wait(d.stream));
    const double t = bench_seconds() - start;
    if (t < best) best = t;
  }
  for (int i = 0; i < 3; i++) dnnl_memory_destroy(list[i].memory);
  dnnl_primitive_destroy(primitive);
  return best;
}

ConvTimes bench_onednn(const NnConv *c, int plain) {
  const dnnl_dims_t xd = {(dnnl_dim_t)c->batch, (dnnl_dim_t)c->channels, (dnnl_dim_t)c->height,
                          (dnnl_dim_t)c->width};
  const dnnl_dims_t wd = {(dnnl_dim_t)c->filters, (dnnl_dim_t)c->channels, (dnnl_dim_t)c->kernel_height,
                          (dnnl_dim_t)c->kernel_width};
  const dnnl_dims_t yd = {(dnnl_dim_t)c->batch, (dnnl_dim_t)c->filters, (dnnl_dim_t)c->out_height,
                          (dnnl_dim_t)c->out_width};
  const dnnl_dims_t stride = {(dnnl_dim_t)c->stride, (dnnl_dim_t)c->stride},
                    pad = {(dnnl_dim_t)c->pad, (dnnl_dim_t)c->pad};
  const dnnl_format_tag_t tag = plain ? dnnl_nchw : dnnl_format_tag_any;
  dnnl_memory_desc_t x, w, y;
  dnnl_convolution_desc_t desc;
  dnnl_primitive_desc_t forward, data, filter;
  Device d;
  ConvTimes t;
  CHECK(dnnl_engine_create(&d.engine, dnnl_cpu, 0));
  CHECK(dnnl_stream_create(&d.stream, d.engine, dnnl_stream_default_flags));
  CHECK(dnnl_memory_desc_init_by_tag(&x, 4, xd, dnnl_f32, tag));
  CHECK(dnnl_memory_desc_init_by_tag(&w, 4, wd, dnnl_f32, plain ? dnnl_oihw : dnnl_format_tag_any));
  CHECK(dnnl_memory_desc_init_by_tag(&y, 4, yd, dnnl_f32, tag));
  CHECK(dnnl_convolution_forward_desc_init(&desc, dnnl_forward_training, dnnl_convolution_direct, &x, &w,
                                           NULL, &y, stride, pad, pad));
  CHECK(dnnl_primitive_desc_create(&forward, &desc, NULL, d.engine, NULL));
  CHECK(
      dnnl_convolution_backward_data_desc_init(&desc, dnnl_convolution_direct, &x, &w, &y, stride, pad, pad));
  CHECK(dnnl_primitive_desc_create(&data, &desc, NULL, d.engine, forward));
  CHECK(dnnl_convolution_backward_weights_desc_init(&desc, dnnl_convolution_direct, &x, &w, NULL, &y, stride,
                                                    pad, pad));
  CHECK(dnnl_primitive_desc_create(&filter, &desc, NULL, d.engine, forward));
  t.forward =
      run(d, forward, (const dnnl_query_t[]){dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md},
          (const int[]){DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST});
  t.data = run(d, data,
               (const dnnl_query_t[]){dnnl_query_diff_dst_md, dnnl_query_weights_md, dnnl_query_diff_src_md},
               (const int[]){DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC});
  t.filter =
      run(d, filter,
          (const dnnl_query_t[]){dnnl_query_src_md, dnnl_query_diff_dst_md, dnnl_query_diff_weights_md},
          (const int[]){DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS});
  dnnl_primitive_desc_destroy(forward);
  dnnl_primitive_desc_destroy(data);
  dnnl_primitive_desc_destroy(filter);
  dnnl_stream_destroy(d.stream);
  dnnl_engine_destroy(d.engine);
  return t;
}
