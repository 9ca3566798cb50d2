#include "machine.h"

#include <stddef.h>

#include "error.h"

enum { THREADS_MOST = 4096 };

int context_open(lsqnet_context **out, const machine *m) {
  lsqnet_context_options options;
  if (m->threads > THREADS_MOST) return fail(CODE_USAGE, "option --threads: %lld is too many", (long long)m->threads);
  lsqnet_status st = lsqnet_context_options_init(&options, sizeof options);
  options.threads = m->threads == 0 ? -1 : (int32_t)m->threads;
  options.kernel_level = m->level;
  if (st == LSQNET_OK) st = lsqnet_context_create(out, &options);
  if (st == LSQNET_E_UNSUPPORTED)
    return fail(CODE_USAGE, "option --level: this processor or this build has not got %s", level_name(m->level));
  return st == LSQNET_OK ? CODE_DONE : fail_status(st, NULL);
}

const char *level_name(int32_t level) {
  static const char *const names[] = {"auto", "generic", "v2", "v3", "v4"};
  return level >= LSQNET_KERNEL_AUTO && level <= LSQNET_KERNEL_X86_64_V4 ? names[level] : "unknown";
}
