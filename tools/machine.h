/* What of the machine a command uses: threads, and the kernel level, which fixes the bits of a result. */
#ifndef TOOLS_MACHINE_H
#define TOOLS_MACHINE_H

#include <lsqnet/context.h>

typedef struct {
  int64_t threads; /* 0: one per processor */
  int32_t level;   /* an LSQNET_KERNEL_ number */
} machine;

int context_open(lsqnet_context **out, const machine *m);

/* "v3"; "unknown" for a number that is no level. */
const char *level_name(int32_t level);

#define LEVELS       "auto|generic|v2|v3|v4"
#define LEVEL_HELP   "instruction set of the kernels, which the last bits depend on (default auto: the best here)"
#define THREADS_HELP "threads to use; 0: one per processor"

/* The options that fill a machine; `first` is what the help says of the default number of threads. */
#define MACHINE_OPTIONS(machine, first)                                                                \
  {OPTION_INTEGER, "--threads", "N", THREADS_HELP " (default " first ")", &(machine)->threads, 0.0}, { \
    OPTION_CHOICE, "--level", LEVELS, LEVEL_HELP, &(machine)->level, LSQNET_KERNEL_AUTO                \
  }

#endif
