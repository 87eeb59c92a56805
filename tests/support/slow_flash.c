/* Makes every fsync take twenty seconds, as JFFS2's garbage collection does, for tests: LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

int fsync(int fd)
{
    sleep(20);
    return ((__typeof__(&fsync))dlsym(RTLD_NEXT, "fsync"))(fd);
}
