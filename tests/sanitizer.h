/* Whether a test is built under AddressSanitizer, whose allocator and stacks are its own. */
#ifndef TESTS_SANITIZER_H
#define TESTS_SANITIZER_H

#if defined __SANITIZE_ADDRESS__
enum { UNDER_ADDRESS_SANITIZER = 1 };
#elif defined __has_feature
#if __has_feature(address_sanitizer)
enum { UNDER_ADDRESS_SANITIZER = 1 };
#else
enum { UNDER_ADDRESS_SANITIZER = 0 };
#endif
#else
enum { UNDER_ADDRESS_SANITIZER = 0 };
#endif

#endif
