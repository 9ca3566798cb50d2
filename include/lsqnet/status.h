/** @file
 * Status codes, messages and version: what every call of liblsqnet shares. */
#ifndef LSQNET_STATUS_H
#define LSQNET_STATUS_H

#include <stdint.h>

#ifndef LSQNET_API
#if defined(__GNUC__)
#define LSQNET_API __attribute__((visibility("default")))
#else
#define LSQNET_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** What a call came to. The numbers are fixed for ever; new ones fill the gaps. */
typedef int32_t lsqnet_status;
enum {
  LSQNET_OK = 0,
  LSQNET_E_ARGUMENT = 10,      /**< a pointer, number, name or option that the call cannot take */
  LSQNET_E_SHAPE = 11,         /**< sizes that do not fit each other or overflow */
  LSQNET_E_VERSION = 12,       /**< a struct from a library of another age */
  LSQNET_E_MEMORY = 20,        /**< the allocator said no */
  LSQNET_E_IO = 30,            /**< a file could not be read or written */
  LSQNET_E_FORMAT = 31,        /**< a file or text that breaks its format */
  LSQNET_E_NOT_FINITE = 40,    /**< NaN or infinity where a number must be */
  LSQNET_E_NOT_CONVERGED = 41, /**< the best answer found does not meet the tolerance */
  LSQNET_E_RANK = 42,          /**< the columns depend on each other: no unique answer */
  LSQNET_E_UNSUPPORTED = 50, /**< known, but not in this build or not for this object; and of every call that computes,
                                on a thread that does not round to nearest or that flushes denormals */
  LSQNET_E_STOPPED = 51,     /**< a callback asked to stop, or failed */
  LSQNET_E_INTERNAL = 90     /**< a bug of the library: please report it */
};

/** Name of a status, e.g. "LSQNET_E_SHAPE"; "unknown status" for a number that is none. Never NULL. */
LSQNET_API const char *lsqnet_status_name(lsqnet_status status);

/** Message of the last call that failed on the calling thread: it names the values and the place.
 *  Empty before the first failure. The text is the thread's own and lives until its next failure. Never NULL. */
LSQNET_API const char *lsqnet_last_message(void);

/** Sets the calling thread's message: for callbacks (mixers, readers, writers) that return a failure
 *  and want to say why. Text beyond the first 511 bytes is cut; NULL empties the message. */
LSQNET_API void lsqnet_set_message(const char *text);

/** Version of the library that runs, "MAJOR.MINOR.PATCH". */
LSQNET_API const char *lsqnet_version(void);

/** Number of the binary interface, the one in the SONAME; it moves only when the interface breaks. */
LSQNET_API int32_t lsqnet_abi_version(void);

#ifdef __cplusplus
}
#endif
#endif
