#include "base/use.h"

lsqnet_status lsq_use_alone(lsq_users *users, const char *noun) {
  int nobody = 0;
  if (atomic_compare_exchange_strong_explicit(users, &nobody, -1, memory_order_acquire, memory_order_relaxed))
    return LSQNET_OK;
  return lsq_fail(LSQNET_E_ARGUMENT, "the %s is in use: a call with it is under way", noun);
}

lsqnet_status lsq_use_shared(lsq_users *users, const char *noun) {
  int now = atomic_load_explicit(users, memory_order_relaxed);
  while (now >= 0)
    if (atomic_compare_exchange_weak_explicit(users, &now, now + 1, memory_order_acquire, memory_order_relaxed))
      return LSQNET_OK;
  return lsq_fail(LSQNET_E_ARGUMENT, "the %s is in use: a call that changes it is under way", noun);
}

void lsq_leave(lsq_users *users) {
  if (atomic_load_explicit(users, memory_order_relaxed) < 0)
    atomic_store_explicit(users, 0, memory_order_release);
  else
    atomic_fetch_sub_explicit(users, 1, memory_order_release);
}
