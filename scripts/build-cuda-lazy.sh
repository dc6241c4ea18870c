#!/bin/sh
# Makes stand-ins for the CUDA libraries that look the real ones up at the first call.
# Usage: scripts/build-cuda-lazy.sh FOLDER        (called by build-cuda.sh, which sets CUDA_HOME)
#
# candle links libcuda, libcublas, libcudnn and others, so a binary would not start where one is missing. Here every
# function of theirs is a jump through a table; an empty place in the table is filled by dlopen and dlsym. A library
# that is not there makes each of its functions return that library's own error code. x86-64 Linux only.
set -eu
folder=$1
mkdir -p "$folder"

# The names are those of cudarc's bindings, through which candle calls the libraries.
bindings=$(cargo metadata --format-version 1 --locked --features cuda --manifest-path experiments/Cargo.toml |
    python3 -c 'import json, os, sys
print(*(os.path.dirname(p["manifest_path"]) for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"))')

# lazy NAME SONAME BINDINGS CODE: libNAME.so for the linker, SONAME at run time, CODE where it is missing.
lazy() {
    python3 - "$folder/$1.c" "$2" "$bindings/src/$3/sys/mod.rs" "$4" <<'PYTHON'
import re, sys
out, soname, bindings, code = sys.argv[1:]
functions = sorted(set(re.findall(r"pub (?:unsafe )?fn ((?:cu|cublas|curand|nvrtc|cudnn)[A-Z]\w*)\s*\(", open(bindings).read())))
# These return text, not a status.
text = re.compile(r"(cudnn|nvrtc)GetErrorString|cublas(Lt)?GetStatus(Name|String)")
names = "\n".join(f'    "{name}",' for name in functions)
jumps = "\n".join(f'JUMP("{name}", "{i}")' for i, name in enumerate(functions))
is_text = ", ".join(str(int(bool(text.fullmatch(name)))) for name in functions)
open(out, "w").write(f"""
#include <dlfcn.h>
#include <stdio.h>

static const char *const names[] = {{
{names}
}};
static const char is_text[] = {{{is_text}}};
__attribute__((used)) static void *table[{len(functions)}];

static long missing(void) {{ return {code}; }}
static const char *missing_text(void) {{ return "{soname} is missing"; }}

/* Threads may come here at once: they all write the same address. */
__attribute__((used)) static void *resolve(long i) {{
    static void *library;
    static int asked;
    if (!library && !asked) {{
        library = dlopen("{soname}", RTLD_NOW | RTLD_GLOBAL);
        asked = 1;
        /* No driver is an ordinary state; with a driver, the rest must be there. */
        if (!library && {code} != 100)
            fprintf(stderr, "%s; put its folder on LD_LIBRARY_PATH\\n", dlerror());
    }}
    void *found = library ? dlsym(library, names[i]) : 0;
    return table[i] = found ? found : is_text[i] ? (void *)missing_text : (void *)missing;
}}

/* Once a place of the table is filled, a call costs a load and a jump. */
#define JUMP(name, i)                                                                                                  \\
    asm(".globl " name "\\n.type " name ",@function\\n" name ":\\n"                                                       \\
        "mov table+8*" i "(%rip), %r11\\ntest %r11, %r11\\nje 1f\\njmp *%r11\\n"                                           \\
        "1: push $" i "\\njmp look_up\\n.size " name ", .-" name);
{jumps}

/* Keeps every register that may hold an argument while `resolve` runs. The stack holds the index, then 7 words. */
asm("look_up:\\n"
    "push %rdi\\npush %rsi\\npush %rdx\\npush %rcx\\npush %r8\\npush %r9\\npush %rax\\n"
    "push %rbp\\nmov %rsp, %rbp\\nsub $128, %rsp\\nand $-16, %rsp\\n"
    "movups %xmm0, (%rsp)\\nmovups %xmm1, 16(%rsp)\\nmovups %xmm2, 32(%rsp)\\nmovups %xmm3, 48(%rsp)\\n"
    "movups %xmm4, 64(%rsp)\\nmovups %xmm5, 80(%rsp)\\nmovups %xmm6, 96(%rsp)\\nmovups %xmm7, 112(%rsp)\\n"
    "mov 64(%rbp), %rdi\\ncall resolve\\nmov %rax, %r11\\n"
    "movups (%rsp), %xmm0\\nmovups 16(%rsp), %xmm1\\nmovups 32(%rsp), %xmm2\\nmovups 48(%rsp), %xmm3\\n"
    "movups 64(%rsp), %xmm4\\nmovups 80(%rsp), %xmm5\\nmovups 96(%rsp), %xmm6\\nmovups 112(%rsp), %xmm7\\n"
    "mov %rbp, %rsp\\npop %rbp\\n"
    "pop %rax\\npop %r9\\npop %r8\\npop %rcx\\npop %rdx\\npop %rsi\\npop %rdi\\n"
    "add $8, %rsp\\njmp *%r11");
""")
print(f"{soname}: {len(functions)} functions")
PYTHON
    # Not optimised: the compiler must not rename what the assembly names.
    gcc -O0 -fPIC -c "$folder/$1.c" -o "$folder/$1.o"
    rm -f "$folder/liblazy_$1.a"
    ar rcs "$folder/liblazy_$1.a" "$folder/$1.o"
    # A linker script under the library's name: the linker takes the archive instead.
    echo "INPUT($folder/liblazy_$1.a -ldl)" > "$folder/lib$1.so"
}

lazy cuda libcuda.so.1 driver 100         # CUDA_ERROR_NO_DEVICE
lazy nvrtc libnvrtc.so.13 nvrtc 1         # NVRTC_ERROR_OUT_OF_MEMORY
lazy curand libcurand.so.10 curand 101    # CURAND_STATUS_NOT_INITIALIZED
lazy cublas libcublas.so.13 cublas 1      # CUBLAS_STATUS_NOT_INITIALIZED
lazy cublasLt libcublasLt.so.13 cublaslt 1
lazy cudnn libcudnn.so.9 cudnn 1001       # CUDNN_STATUS_NOT_INITIALIZED
# The run-time library is part of the compiler's packages, and static: it asks for the driver only when used.
echo "INPUT($CUDA_HOME/lib/libcudart_static.a -ldl -lrt -lpthread)" > "$folder/libcudart.so"
