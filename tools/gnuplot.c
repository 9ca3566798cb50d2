#include "gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "output.h"

/* gnuplot's single quotes take everything as it is, apart from themselves. */
void gnuplot_quote(FILE *script, const char *text) {
  fputc('\'', script);
  for (const char *c = text; *c != '\0'; c++) {
    if (*c == '\'') fputc('\'', script);
    fputc((unsigned char)*c < ' ' || *c == 127 ? '?' : *c, script);
  }
  fputc('\'', script);
}

/* The child: gnuplot reads the script and writes the picture; what stops it from being run goes into the pipe. */
static void become_gnuplot(int in, int out, int trouble) {
  char *const arguments[] = {(char[]){"gnuplot"}, NULL};
  const int silence = open("/dev/null", O_WRONLY);
  if (silence >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
      dup2(silence, STDERR_FILENO) >= 0) {
    (void)execvp(arguments[0], arguments);
  }
  const int reason = errno;
  (void)!write(trouble, &reason, sizeof reason);
  _exit(127);
}

static int run_gnuplot(FILE *script, FILE *picture) {
  int trouble[2], reason = 0, status = 0;
  if (pipe(trouble) != 0) return fail(CODE_OTHER, "gnuplot: %s", strerror(errno));
  (void)fcntl(trouble[1], F_SETFD, FD_CLOEXEC);
  const pid_t child = fork();
  if (child == 0) become_gnuplot(fileno(script), fileno(picture), trouble[1]);
  const int forked = errno;
  close(trouble[1]);
  const ssize_t got = child < 0 ? 0 : read(trouble[0], &reason, sizeof reason);
  close(trouble[0]);
  if (child < 0) return fail(CODE_OTHER, "gnuplot: %s", strerror(forked));
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (got == (ssize_t)sizeof reason) {
    return fail(CODE_OTHER, "gnuplot cannot be run: %s%s", strerror(reason),
                reason == ENOENT ? " (is it installed?)" : "");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return CODE_DONE;
  return fail(CODE_OTHER, "gnuplot failed (%s %d)", WIFEXITED(status) ? "exit code" : "signal",
              WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

int gnuplot_check(void) {
  int code = CODE_DONE;
  FILE *script = tmpfile(), *picture = tmpfile();
  if (script == NULL || picture == NULL || fputs("exit\n", script) < 0 || fflush(script) != 0) {
    code = fail(CODE_OTHER, "a temporary file: %s", strerror(errno));
  } else {
    rewind(script);
    code = run_gnuplot(script, picture);
  }
  if (script != NULL) fclose(script);
  if (picture != NULL) fclose(picture);
  return code;
}

int gnuplot_draw(FILE *script, const char *path) {
  int code = CODE_DONE;
  output out = {0};
  if (fflush(script) != 0 || ferror(script)) return fail(CODE_OTHER, "a temporary file: %s", strerror(errno));
  rewind(script);
  TRY(output_open(&out, path));
  TRY(run_gnuplot(script, out.file));
  TRY(output_commit(&out));
done:
  output_close(&out);
  return code;
}
