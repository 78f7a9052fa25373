/* The whole program of the example image: it says hello, and which platform it was built for.
 * No C library: two system calls, so that a binary is about a kilobyte on every architecture. */

#define HELLO "Hello from regimport's example image, built for " PLATFORM ".\n"

static long call(long number, long first, const void *second, long third) {
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third)
                     : "rcx", "r11", "memory");
    return result;
#elif defined(__i386__)
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(third)
                     : "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = first;
    register const void *x1 __asm__("x1") = second;
    register long x2 __asm__("x2") = third;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
#elif defined(__arm__)
    register long r7 __asm__("r7") = number;
    register long r0 __asm__("r0") = first;
    register const void *r1 __asm__("r1") = second;
    register long r2 __asm__("r2") = third;
    __asm__ volatile("svc 0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2) : "memory");
    return r0;
#elif defined(__riscv)
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = first;
    register const void *a1 __asm__("a1") = second;
    register long a2 __asm__("a2") = third;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2) : "memory");
    return a0;
#elif defined(__powerpc64__)
    register long r0 __asm__("r0") = number;
    register long r3 __asm__("r3") = first;
    register const void *r4 __asm__("r4") = second;
    register long r5 __asm__("r5") = third;
    __asm__ volatile("sc"
                     : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5)
                     :
                     : "cr0", "ctr", "memory", "r6", "r7", "r8", "r9", "r10", "r11", "r12");
    return r3;
#elif defined(__s390x__)
    register long r1 __asm__("r1") = number;
    register long r2 __asm__("r2") = first;
    register const void *r3 __asm__("r3") = second;
    register long r4 __asm__("r4") = third;
    __asm__ volatile("svc 0" : "+d"(r2) : "d"(r1), "d"(r3), "d"(r4) : "memory");
    return r2;
#else
#error "hello.c does not know the system calls of this architecture"
#endif
}

/* The numbers of write and exit: Linux has one table for newer architectures, and older ones. */
#if defined(__x86_64__)
enum { WRITE = 1, EXIT = 60 };
#elif defined(__aarch64__) || defined(__riscv)
enum { WRITE = 64, EXIT = 93 };
#else
enum { WRITE = 4, EXIT = 1 };
#endif

void _start(void) {
    call(WRITE, 1, HELLO, sizeof(HELLO) - 1);
    call(EXIT, 0, 0, 0);
    for (;;) {
    }
}
