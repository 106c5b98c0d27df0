/* core/simd.h: one source, compiled for several instruction sets and chosen when the program starts. */
#ifndef BITUNE_CORE_SIMD_H
#define BITUNE_CORE_SIMD_H

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define BT_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), noinline))
/* Code for one instruction set may be chosen by __builtin_cpu_supports(). */
#define BT_SIMD_CHOICE
#else
#define BT_SIMD
#endif

#endif
