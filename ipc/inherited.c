/*
 * See inherited.h.
 */
#include "ipc/inherited.h"

#include "ipc/config.h"
#include "ipc/notify.h"
#include "ipc/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char started_in[CONFIG_PATH_SIZE]; /* empty where it is not known */

bool inherited_drop(void)
{
    if (getcwd(started_in, sizeof(started_in)) == NULL)
        started_in[0] = '\0'; /* gone, or too long: only a relative path needs it */
    int null = open("/dev/null", O_RDWR);
    while (null >= 0 && null < 3)
        null = dup(null);
    umask(077);
    notify_remember();
    return null >= 0 && close_range(3, ~0U, 0) == 0 && clearenv() == 0 && chdir("/") == 0;
}

bool inherited_absolute(char *path, size_t size)
{
    char whole[2 * CONFIG_PATH_SIZE];
    if (path[0] == '/')
        return true;
    int length =
        snprintf(whole, sizeof(whole), "%s/%s", strcmp(started_in, "/") == 0 ? "" : started_in, path);
    if (started_in[0] != '/' || length < 0 || !text_is_path(whole, size - 1))
        return false;
    memcpy(path, whole, (size_t)length + 1);
    return true;
}

int32_t inherited_utc_offset(void)
{
    time_t now = time(NULL);
    struct tm local;
    return localtime_r(&now, &local) != NULL ? (int32_t)local.tm_gmtoff : 0;
}
