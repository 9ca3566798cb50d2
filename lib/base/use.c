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

int lsq_leave(lsq_users *users) {
  if (atomic_load_explicit(users, memory_order_relaxed) < 0)
    return atomic_exchange_explicit(users, 0, memory_order_acq_rel) == -2;
  atomic_fetch_sub_explicit(users, 1, memory_order_release);
  return 0;
}

int lsq_goes_later(lsq_users *users) {
  int now = atomic_load_explicit(users, memory_order_acquire);
  while (now == -1)
    if (atomic_compare_exchange_weak_explicit(users, &now, -2, memory_order_acq_rel, memory_order_acquire)) return 1;
  return now == -2;
}
