#include "program/version.h"

#include <stdio.h>
#include <string.h>

#include "build_info.h"
#include "program/app.h"

typedef struct {
  int number;
} Version;

static const BtOption options[] = {BT_OPT_FLAG("short", Version, number, "print the version number alone"),
                                   BT_OPT_END};

static size_t version_options(void *settings, BtOptionSet *sets) {
  sets[0] = (BtOptionSet){options, settings, NULL};
  return 1;
}

const char *bt_version_text(void) { return BT_BUILD_VERSION; }

const char *bt_version_git(void) { return *BT_BUILD_GIT ? BT_BUILD_GIT : BT_BUILD_VERSION; }

/* The widest vector instructions that the processor has and the kernels are compiled for. */
static const char *simd_level(void) {
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq"))
    return "avx512";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "avx2";
  return "sse2";
#elif defined(__aarch64__)
  return "neon";
#else
  return "unknown";
#endif
}

static json_t *build_json(void) {
  json_t *build = json_object();
  json_object_set_new(build, "git", *BT_BUILD_GIT ? json_string(BT_BUILD_GIT) : json_null());
  json_object_set_new(build, "compiler", json_string(BT_BUILD_COMPILER));
  json_object_set_new(build, "type", json_string(BT_BUILD_TYPE));
  json_object_set_new(build, "flags", bt_app_text_json(BT_BUILD_FLAGS));
  json_object_set_new(build, "sanitizers", *BT_BUILD_SANITIZE ? json_string(BT_BUILD_SANITIZE) : json_null());
  json_object_set_new(build, "imaging", json_boolean(BT_BUILD_IMAGING));
  json_object_set_new(build, "cuda", json_boolean(BT_BUILD_CUDA));
  return build;
}

static void print_line(BtApp *app, const char *name, const char *value) {
  bt_app_print(app, "  %-11s %s\n", name, value);
}

static void print_object(BtApp *app, json_t *object) {
  const char *key;
  json_t *value;
  json_object_foreach(object, key, value) {
    if (json_is_null(value)) continue;
    print_line(app, key,
               json_is_boolean(value) ? (json_is_true(value) ? "yes" : "no") : json_string_value(value));
  }
}

static BtStatus version_run(BtApp *app, void *settings) {
  const Version *version = settings;
  json_t *build = build_json(), *libraries = json_object();
  json_object_set_new(libraries, "jansson", json_string(jansson_version_str()));
  if (BT_BUILD_CUDA) {
    json_object_set_new(libraries, "cuda", json_string(BT_BUILD_CUDA_VERSION));
    json_object_set_new(libraries, "cudnn", json_string(BT_BUILD_CUDNN_VERSION));
  }
  bt_imaging_versions(libraries);
  bt_app_print(app, "bitune %s\n", bt_version_text());
  if (!version->number) {
    print_object(app, build);
    print_line(app, "simd", simd_level());
    bt_app_print(app, "Libraries\n");
    print_object(app, libraries);
  }
  bt_app_put(app, "build", build);
  bt_app_put(app, "libraries", libraries);
  bt_app_put_text(app, "simd", simd_level());
  return BT_OK;
}

const BtCommand bt_cmd_version = {
    .name = "version",
    .group = BT_GROUP_PROGRAM,
    .summary = "tell the version, how it was built and with which libraries",
    .usage = "[--short]",
    .help =
        "\"simd\" is the widest set of vector instructions of this processor that bitune's kernels have code "
        "for.",
    .examples = {{"bitune version", "What to paste into a bug report"},
                 {"bitune version --json", "The same for a program"}},
    .settings_size = sizeof(Version),
    .options = version_options,
    .run = version_run,
};
