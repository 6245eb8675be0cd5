/* Plays an older processor to a program: the instruction CPUID says nothing of newer instructions, so that libraries
 * take other ways, and round otherwise. Linux on x86-64 whose processor can do it ("cpuid_fault" in /proc/cpuinfo).
 *
 *     cc -O2 -shared -fPIC benchmarks/older_processor.c -o older.so
 *     HIDE=avx512 LD_PRELOAD=./older.so python -m benchmarks.bench_quorum --against FILE
 *
 * HIDE is avx512, avx2 (with it and FMA gone) or avx (with all of these gone).
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_CPUID 0x1012 /* of arch_prctl: whether CPUID is answered by the processor, or faults */
#define BIT(number) (1u << (number))

static int hidden; /* 1 AVX-512 and all after it, 2 AVX2 and FMA too, 3 AVX too */

static void answered_by_processor(int yes) { syscall(SYS_arch_prctl, ARCH_CPUID, yes); }

static void answer(int signal_number, siginfo_t *info, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *instruction = (const unsigned char *)registers[REG_RIP];
    unsigned leaf = registers[REG_RAX], part = registers[REG_RCX], a, b, c, d;
    if (instruction[0] != 0x0f || instruction[1] != 0xa2) { /* not CPUID: a fault of the program's own */
        signal(signal_number, SIG_DFL);
        return;
    }
    (void)info;
    answered_by_processor(1);
    __cpuid_count(leaf, part, a, b, c, d);
    answered_by_processor(0);
    if (leaf == 7 && part == 0) { /* AVX-512 in its parts, AMX */
        b &= ~(BIT(16) | BIT(17) | BIT(21) | BIT(26) | BIT(27) | BIT(28) | BIT(30) | BIT(31));
        c &= ~(BIT(1) | BIT(6) | BIT(11) | BIT(12) | BIT(14));
        d &= ~(BIT(2) | BIT(3) | BIT(8) | BIT(22) | BIT(23) | BIT(24) | BIT(25));
        if (hidden >= 2) b &= ~BIT(5);
    }
    if (leaf == 7 && part == 1) a = d = 0; /* AVX-VNNI and later */
    if (leaf == 1 && hidden >= 2) c &= ~BIT(12);
    if (leaf == 1 && hidden >= 3) c &= ~(BIT(28) | BIT(29));
    registers[REG_RAX] = a;
    registers[REG_RBX] = b;
    registers[REG_RCX] = c;
    registers[REG_RDX] = d;
    registers[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
    const char *what = getenv("HIDE");
    struct sigaction action = {0};
    if (!what) return;
    hidden = !strcmp(what, "avx512") ? 1 : !strcmp(what, "avx2") ? 2 : 3;
    action.sa_sigaction = answer;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigaction(SIGSEGV, &action, NULL);
    if (syscall(SYS_arch_prctl, ARCH_CPUID, 0)) {
        perror("this processor cannot be told to say less");
        _exit(99);
    }
}
