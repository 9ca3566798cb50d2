#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 20, PHASE = 32, LINE = 192 };
static const double TERMINAL_SECONDS = 0.1, PLAIN_SECONDS = 10;

double seconds_now(void) {
  struct timespec time;
  (void)clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void duration_write(char text[DURATION_TEXT], double seconds) {
  const double most = 1e9;
  const long long whole = (long long)fmin(fmax(seconds, 0) + 0.5, most);
  if (whole >= 3600) {
    snprintf(text, DURATION_TEXT, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
  } else if (whole >= 60) {
    snprintf(text, DURATION_TEXT, "%lld min %02lld s", whole / 60, whole % 60);
  } else {
    snprintf(text, DURATION_TEXT, "%lld s", whole);
  }
}

void progress_begin(progress_line *line, int shown, int64_t steps) {
  *line = (progress_line){.shown = shown, .terminal = isatty(STDERR_FILENO), .steps = steps, .first = -1};
  line->began = seconds_now();
  line->next = line->began + (line->terminal ? 0 : PLAIN_SECONDS);
}

static void write_bar(char bar[BAR + 1], double share) {
  const int full = (int)(share * BAR);
  memset(bar, '#', (size_t)full);
  memset(bar + full, '.', (size_t)(BAR - full));
  bar[BAR] = '\0';
}

static void write_phase(char out[PHASE], const lsqnet_progress *p) {
  out[0] = '\0';
  if (p->phase == LSQNET_PHASE_START) snprintf(out, PHASE, "  start");
  if (p->phase == LSQNET_PHASE_TRIAL) snprintf(out, PHASE, "  trial %ld", (long)p->restart);
}

/* At the pace of this run, if the most steps are needed. */
static double seconds_left(const progress_line *line, const lsqnet_progress *p, double now) {
  return (now - line->began) / (double)(p->step - line->first) * (double)(line->steps - p->step);
}

void progress_show(progress_line *line, const lsqnet_progress *p) {
  const double now = seconds_now(), share = fmin((double)p->step / (double)line->steps, 1);
  char text[LINE], bar[BAR + 1], phase[PHASE], left[DURATION_TEXT];
  if (line->first < 0) line->first = p->step - 1;
  if (!line->shown || now < line->next || p->step <= line->first) return;
  line->next = now + (line->terminal ? TERMINAL_SECONDS : PLAIN_SECONDS);
  write_bar(bar, share);
  write_phase(phase, p);
  duration_write(left, seconds_left(line, p, now));
  const int newton = p->damping > 0;
  snprintf(text, sizeof text, "step %lld of %lld%s  loss %.2e  %s %.2e  at most %s left", (long long)p->step,
           (long long)line->steps, phase, p->loss, newton ? "damping" : "rate", newton ? p->damping : p->rate, left);
  if (line->terminal) {
    fprintf(stderr, "\r[%s] %s\033[K", bar, text);
  } else {
    fprintf(stderr, "%s\n", text);
  }
  line->drawn = line->terminal;
}

void progress_end(progress_line *line) {
  if (line->drawn) fputc('\n', stderr);
  line->drawn = 0;
}
