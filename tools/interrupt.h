/* Interrupts and requests to end, noted so that long work can keep what it has. */
#ifndef TOOLS_INTERRUPT_H
#define TOOLS_INTERRUPT_H

/* From here on the first SIGINT or SIGTERM is noted; a second one ends the process as usual. */
void interrupts_catch(void);

/* Whether one has come. */
int interrupts_came(void);

#endif
