/* Exit codes of the command, and the one line that each nonzero exit writes to standard error. */
#ifndef TOOLS_ERROR_H
#define TOOLS_ERROR_H

#include <lsqnet/status.h>
#include <stdint.h>

enum {
  CODE_DONE = 0,
  CODE_OTHER = 1,         /* memory, standard output, a bug */
  CODE_USAGE = 2,         /* the command line */
  CODE_INPUT = 3,         /* a file that cannot be read or does not say what it must */
  CODE_NOT_CONVERGED = 4, /* the best answer was printed */
  CODE_RANK = 5           /* rank deficient, or fewer rows than unknowns */
};

/* Writes "lsqnet: message" as one line and returns `code`. */
int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with the place: "lsqnet: FILE:LINE: message"; line 0 means the file as a whole. */
int fail_at(int code, const char *file, int64_t line, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same with the library's message; `file` may be NULL. The code follows from `status`. */
int fail_status(lsqnet_status status, const char *file);

/* The same with a code that the caller knows better; running out of memory stays CODE_OTHER. */
int fail_library(int code, lsqnet_status status, const char *file);

int fail_memory(const char *what);

/* Evaluates a call; on failure keeps its exit code in `code` and goes to `done`. */
#define TRY(call)                     \
  do {                                \
    code = (call);                    \
    if (code != CODE_DONE) goto done; \
  } while (0)

#endif
