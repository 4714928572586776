/*
 * See inherited.h.
 */
#include "ipc/inherited.h"

#include "ipc/notify.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

bool inherited_drop(void)
{
    int null = open("/dev/null", O_RDWR);
    while (null >= 0 && null < 3)
        null = dup(null);
    umask(077);
    notify_remember();
    return null >= 0 && close_range(3, ~0U, 0) == 0 && clearenv() == 0 && chdir("/") == 0;
}

int32_t inherited_utc_offset(void)
{
    time_t now = time(NULL);
    struct tm local;
    return localtime_r(&now, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
}
