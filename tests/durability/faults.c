/* A file layer that fails: counts the calls that change files below a folder, and at the n-th fails,
   or ends the process. Loaded with LD_PRELOAD; what it is to do is set by `arm`, so that a forked
   child can be told its number. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, EIO_ONCE, ENOSPC_FROM, KILL_BEFORE, KILL_AFTER };
static char folder[PATH_MAX];
static int mode = -1;
static long at, count;

void arm(const char *below, int what, long number) {
    strncpy(folder, below, sizeof folder - 1);
    count = 0;
    at = number;
    mode = what;
}
long counted(void) { return count; }

static int is_below(const char *path) { return path && !strncmp(path, folder, strlen(folder)); }
static int is_file_below(int file) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return is_below(path);
}
/* 0: go on; 1: fail with errno set; 2: go on, then die. */
static int judge(int concerned) {
    if (mode < 0 || !concerned) return 0;
    long number = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (mode == EIO_ONCE && number == at) { errno = EIO; return 1; }
    if (mode == ENOSPC_FROM && number >= at) { errno = ENOSPC; return 1; }
    if (mode == KILL_BEFORE && number == at) { kill(getpid(), SIGKILL); pause(); }
    return mode == KILL_AFTER && number == at ? 2 : 0;
}
static void die_if(int verdict) { if (verdict == 2) { kill(getpid(), SIGKILL); pause(); } }

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define GUARD(concerned, type, call) \
    do { \
        int verdict = judge(concerned); \
        if (verdict == 1) return -1; \
        type result = call; \
        die_if(verdict); \
        return result; \
    } while (0)

ssize_t write(int f, const void *b, size_t n) { GUARD(is_file_below(f), ssize_t, REAL(write)(f, b, n)); }
ssize_t pwrite(int f, const void *b, size_t n, off_t o) { GUARD(is_file_below(f), ssize_t, REAL(pwrite)(f, b, n, o)); }
ssize_t pwrite64(int f, const void *b, size_t n, off64_t o) { GUARD(is_file_below(f), ssize_t, REAL(pwrite64)(f, b, n, o)); }
ssize_t writev(int f, const struct iovec *v, int n) { GUARD(is_file_below(f), ssize_t, REAL(writev)(f, v, n)); }
int fsync(int f) { GUARD(is_file_below(f), int, REAL(fsync)(f)); }
int fdatasync(int f) { GUARD(is_file_below(f), int, REAL(fdatasync)(f)); }
int ftruncate(int f, off_t n) { GUARD(is_file_below(f), int, REAL(ftruncate)(f, n)); }
int ftruncate64(int f, off64_t n) { GUARD(is_file_below(f), int, REAL(ftruncate64)(f, n)); }
int rename(const char *a, const char *b) { GUARD(is_below(a), int, REAL(rename)(a, b)); }
int unlink(const char *a) { GUARD(is_below(a), int, REAL(unlink)(a)); }
int mkdir(const char *a, mode_t m) { GUARD(is_below(a), int, REAL(mkdir)(a, m)); }
int rmdir(const char *a) { GUARD(is_below(a), int, REAL(rmdir)(a)); }
/* These give the error instead of -1. */
int posix_fallocate(int f, off_t o, off_t n) {
    int verdict = judge(is_file_below(f));
    if (verdict == 1) return errno;
    int result = REAL(posix_fallocate)(f, o, n);
    die_if(verdict);
    return result;
}
int posix_fallocate64(int f, off64_t o, off64_t n) {
    int verdict = judge(is_file_below(f));
    if (verdict == 1) return errno;
    int result = REAL(posix_fallocate64)(f, o, n);
    die_if(verdict);
    return result;
}
