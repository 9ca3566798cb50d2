/* Who is in a call with an object. What one call at a time may use, or calls that only read, is refused to others while
 * it is in use: by another thread, or by a callback of the call itself. Nobody waits. */
#ifndef LSQ_BASE_USE_H
#define LSQ_BASE_USE_H

#include <stdatomic.h>

#include "base/status.h"

/* 0: nobody; -1: one call alone; -2: that, and the object is to go when it ends; above 0: so many that only read. */
typedef atomic_int lsq_users;

/* E_ARGUMENT, naming the object by `noun`, if it is in use; else it is the caller's until lsq_leave. */
lsqnet_status lsq_use_alone(lsq_users *users, const char *noun);
/* The same beside others that read. */
lsqnet_status lsq_use_shared(lsq_users *users, const char *noun);
/* Ends either. Nonzero: the object is the caller's to destroy. */
int lsq_leave(lsq_users *users);

/* Before an object is destroyed: nonzero if a call has it alone, whose lsq_leave will say that it has to go. */
int lsq_goes_later(lsq_users *users);

#endif
