/* Makes the N-th system call of a commit fail, for tests: LD_PRELOAD.
 *
 * FAIL_AT     which call, counted from 1; 0: none
 * FAIL_ERRNO  the error; 0: the process is killed
 * FAIL_AFTER  1: the call is done before the error is told
 * FAIL_COUNT  a file that gets the number of calls
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static long calls;

static long number(const char *name)
{
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("FAIL_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld\n", calls);
        fclose(file);
    }
}

/* Whether this call fails. */
static int due(void)
{
    return __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) == number("FAIL_AT");
}

static int fail(void)
{
    int error = (int)number("FAIL_ERRNO");
    if (error == 0)
        kill(getpid(), SIGKILL);
    errno = error;
    return -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CALL(name, ...)                                   \
    do {                                                  \
        if (!due())                                       \
            return REAL(name)(__VA_ARGS__);               \
        if (number("FAIL_AFTER"))                         \
            (void)!REAL(name)(__VA_ARGS__);               \
        return fail();                                    \
    } while (0)

ssize_t write(int fd, const void *bytes, size_t length)
{
    if (fd <= 2)
        return REAL(write)(fd, bytes, length);
    CALL(write, fd, bytes, length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset)
{
    CALL(pwrite64, fd, bytes, length, offset);
}

int fsync(int fd) { CALL(fsync, fd); }
int ftruncate64(int fd, off64_t length) { CALL(ftruncate64, fd, length); }
int unlinkat(int folder, const char *name, int flags) { CALL(unlinkat, folder, name, flags); }
int mkdirat(int folder, const char *name, mode_t mode) { CALL(mkdirat, folder, name, mode); }

int renameat(int from, const char *old, int to, const char *new)
{
    CALL(renameat, from, old, to, new);
}

int openat(int folder, const char *name, int flags, ...)
{
    mode_t mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list rest;
        va_start(rest, flags);
        mode = va_arg(rest, mode_t);
        va_end(rest);
    }
    if (!(flags & O_CREAT))
        return REAL(openat)(folder, name, flags, mode);
    CALL(openat, folder, name, flags, mode);
}
