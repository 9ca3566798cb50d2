#include "interrupt.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t interrupted = 0;

static void note_interrupt(int number) {
  (void)number;
  interrupted = 1;
}

void interrupts_catch(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = note_interrupt;
  action.sa_flags = (int)SA_RESETHAND | SA_RESTART;
  (void)sigaction(SIGINT, &action, NULL);
  (void)sigaction(SIGTERM, &action, NULL);
}

int interrupts_came(void) { return interrupted; }
