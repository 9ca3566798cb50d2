/* Runs a case of test_export.py: exit code 0 if every result has the library's bits. With FREESTANDING there is no C
 * library, and nothing but this file and the case is linked. */
#define STRING(x)  #x
#define INCLUDE(x) STRING(x)
#include INCLUDE(MODEL)
#include INCLUDE(CASE)

#ifdef FREESTANDING
static void leave(int code) {
#if defined(__x86_64__)
  __asm__ volatile("syscall" : : "a"(231), "D"(code) : "rcx", "r11", "memory");
#elif defined(__arm__)
  register int r0 __asm__("r0") = code;
  register int r7 __asm__("r7") = 248;
  __asm__ volatile("svc 0" : : "r"(r0), "r"(r7) : "memory");
#endif
}

void _start(void);

/* the stack is aligned as after a call; x86-64 leaves it as before one */
#ifdef __x86_64__
__attribute__((force_align_arg_pointer))
#endif
void _start(void) {
  leave(run_case() != 0);
  for (;;) {
  }
}
#else
#include <stdio.h>

int main(void) {
  const int bad = run_case();
  if (bad != 0) printf("%d results differ\n", bad);
  return bad != 0;
}
#endif
