/* Failing with a message, and the one macro that hides a jump. */
#ifndef LSQ_BASE_STATUS_H
#define LSQ_BASE_STATUS_H

#include <lsqnet/status.h>

/* Sets the calling thread's message, printf style, and returns `status`. */
lsqnet_status lsq_fail(lsqnet_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "place: " before the calling thread's message and returns `status`; nothing for LSQNET_OK. */
lsqnet_status lsq_within(lsqnet_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How many messages the calling thread has had: tells whether a host's callback that failed left one. */
uint64_t lsq_message_number(void);

/* `status` of a host's callback that was called when lsq_message_number() was `before`: a failure that left no message
 * gets one, so that an older one is not taken for it. */
lsqnet_status lsq_called_back(lsqnet_status status, uint64_t before);

/* Evaluates a call; on failure keeps its status in `st` and goes to `done`. */
#define LSQ_TRY(call)               \
  do {                              \
    st = (call);                    \
    if (st != LSQNET_OK) goto done; \
  } while (0)

#endif
