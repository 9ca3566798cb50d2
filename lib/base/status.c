#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[512];
static _Thread_local uint64_t message_number;

lsqnet_status lsq_fail(lsqnet_status status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  message_number++;
  return status;
}

lsqnet_status lsq_within(lsqnet_status status, const char *format, ...) {
  char old[sizeof message];
  va_list arguments;
  if (status == LSQNET_OK) return status;
  memcpy(old, message, sizeof old);
  va_start(arguments, format);
  (void)vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  const size_t used = strlen(message);
  (void)snprintf(message + used, sizeof message - used, ": %s", old);
  return status;
}

uint64_t lsq_message_number(void) { return message_number; }

lsqnet_status lsq_called_back(lsqnet_status status, uint64_t before) {
  if (status == LSQNET_OK || message_number != before) return status;
  return lsq_fail(status, "it returned %ld (%s) and left no message", (long)status, lsqnet_status_name(status));
}

const char *lsqnet_last_message(void) { return message; }

void lsqnet_set_message(const char *text) { (void)lsq_fail(LSQNET_OK, "%s", text != NULL ? text : ""); }

const char *lsqnet_status_name(lsqnet_status status) {
  switch (status) {
    case LSQNET_OK: return "LSQNET_OK";
    case LSQNET_E_ARGUMENT: return "LSQNET_E_ARGUMENT";
    case LSQNET_E_SHAPE: return "LSQNET_E_SHAPE";
    case LSQNET_E_VERSION: return "LSQNET_E_VERSION";
    case LSQNET_E_MEMORY: return "LSQNET_E_MEMORY";
    case LSQNET_E_IO: return "LSQNET_E_IO";
    case LSQNET_E_FORMAT: return "LSQNET_E_FORMAT";
    case LSQNET_E_NOT_FINITE: return "LSQNET_E_NOT_FINITE";
    case LSQNET_E_NOT_CONVERGED: return "LSQNET_E_NOT_CONVERGED";
    case LSQNET_E_RANK: return "LSQNET_E_RANK";
    case LSQNET_E_UNSUPPORTED: return "LSQNET_E_UNSUPPORTED";
    case LSQNET_E_STOPPED: return "LSQNET_E_STOPPED";
    case LSQNET_E_INTERNAL: return "LSQNET_E_INTERNAL";
    default: return "unknown status";
  }
}

const char *lsqnet_version(void) { return LSQ_VERSION; }

int32_t lsqnet_abi_version(void) { return LSQ_ABI_VERSION; }
